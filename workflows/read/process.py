"""Processes: which simulated samples make up each part of the prediction, and how plots show it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from hepgrad.analysis.printing import as_names

from .estimates.contract import Estimate

if TYPE_CHECKING:
    from .fileset import Fileset
    from .sample import Sample


@dataclasses.dataclass(frozen=True)
class Process:
    """A part of the prediction, the sum of one or more simulated samples.

    Attributes
    ----------
    name
        By which histograms, cutflows and the statistical model know it.
    datasets
        Names of its samples in the fileset; one of the process's own name by default.
    label
        How plots name it (may hold TeX between dollar signs); the name by default.
    signal
        Whether it is what the search looks for.
    color
        Any colour that matplotlib understands; chosen by the plot by default.
    observed
        Whether its samples are collision data: no part of the prediction, but what is compared with it. They are not
        looked at before the run is told to unblind.
    estimate
        How collision data estimate it, where simulation does not: `SameSign`, `FakeRate` or `Sidebands`. Its samples
        are then those of the observed processes, and those of the processes that are taken off.
    cross_section_of
        Name of the sample whose cross-section it is normalised to; by default each of its samples has its own. For an
        alternative simulation of a process whose rate is measured, not predicted.

    Raises
    ------
    ValueError
        When a sample is there twice, or collision data, or what they estimate, are marked as the signal.

    Examples
    --------
    >>> from hepgrad.workflows import Process
    >>> Process("single_top", datasets=("single_top_s_chan", "single_top_t_chan")).label
    'single_top'

    Collision data, in one line:

    >>> Process("data", datasets=("SingleMuon_B", "SingleMuon_C"), observed=True).observed
    True
    """

    name: str
    _: dataclasses.KW_ONLY
    datasets: tuple[str, ...] = ()
    label: str = ""
    signal: bool = False
    observed: bool = False
    color: str | None = None
    cross_section_of: str = ""
    estimate: Estimate | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "datasets", as_names(self.datasets) or (self.name,))
        if twice := [name for name in dict.fromkeys(self.datasets) if self.datasets.count(name) > 1]:
            raise ValueError(f"process {self.name!r} has the sample {twice[0]!r} twice; its events would count twice")
        if self.observed and self.signal:
            raise ValueError(f"process {self.name!r} is observed, and cannot be the signal that is simulated")
        if self.estimate is not None and (self.observed or self.signal):
            what = "observed" if self.observed else "the signal"
            raise ValueError(f"process {self.name!r} is estimated from data, and cannot be {what} as well")
        object.__setattr__(self, "label", self.label or self.name)

    def samples(self, fileset: Fileset) -> dict[str, Sample]:
        """Return its samples by name, with the cross-sections that they are normalised to.

        Parameters
        ----------
        fileset
            That describes them.

        Raises
        ------
        InputError
            When one is not in the fileset.
        """
        samples = {name: fileset[name] for name in self.datasets}
        if not self.cross_section_of:
            return samples
        cross_section = fileset[self.cross_section_of].cross_section
        return {name: dataclasses.replace(sample, cross_section=cross_section) for name, sample in samples.items()}
