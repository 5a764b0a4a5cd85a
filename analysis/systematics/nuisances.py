"""Which parameters a source of uncertainty moves with, where, and how much of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

S = TypeVar("S", bound="Any")
# labels with the names that belong to each, or names that are their own labels
Groups: TypeAlias = Mapping[str, Sequence[str]] | Sequence[str]


@dataclasses.dataclass(frozen=True)
class Nuisance:
    """A nuisance parameter of a source, and where the source depends on it.

    Attributes
    ----------
    name
        Of the parameter; those of several sources are one when they have the same name.
    coefficient
        How many standard deviations of the source one of the parameter is.
    processes, channels
        Where; everywhere that the source acts by default.

    Raises
    ------
    ValueError
        When the coefficient is not between -1 and 1, or is 0.
    """

    name: str
    coefficient: float = 1.0
    processes: Sequence[str] | None = None
    channels: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not 0 < abs(self.coefficient) <= 1:
            raise ValueError(f"{self.name}: a coefficient must be between -1 and 1, not 0; got {self.coefficient}")
        for name in ("processes", "channels"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(value))

    def acts_on(self, process: str, channel: str) -> bool:
        """Tell whether the source depends on the parameter there.

        Parameters
        ----------
        process, channel
            Their names.
        """
        of_process = self.processes is None or process in self.processes
        return of_process and (self.channels is None or channel in self.channels)


def shared(name: str, *sources: S) -> list[S]:
    """Return sources that move together, with one nuisance parameter.

    Where several act on the same process and channel, their effects add up; those of normalisations multiply.

    Parameters
    ----------
    name
        Of the parameter.
    *sources
        Of systematic uncertainty.

    Examples
    --------
    >>> from hepgrad.analysis.systematics import Normalisation, shared
    >>> pdf = shared("pdf_qq", Normalisation("pdf_w", 0.03, ["wjets"]), Normalisation("pdf_z", 0.04, ["zjets"]))
    >>> [source.nuisances[0].name for source in pdf]
    ['pdf_qq', 'pdf_qq']
    """
    return [dataclasses.replace(source, nuisances=(Nuisance(name),)) for source in sources]


def decorrelated(source: S, *, processes: Groups | None = None, channels: Groups | None = None) -> S:
    """Return a source with one nuisance parameter for each group of processes or of channels.

    The parameters are named after the source and the group. Its templates are filled once for all of them.

    Parameters
    ----------
    source
        Of systematic uncertainty; it acts on the groups only.
    processes, channels
        The groups by label, or single names; one of the two.

    Raises
    ------
    ValueError
        When both are given or none, or a name is in two groups.

    Examples
    --------
    >>> from hepgrad.analysis.systematics import Normalisation, decorrelated
    >>> source = decorrelated(Normalisation("xsec", 0.1), processes={"top": ["ttbar", "st"], "v": ["wjets"]})
    >>> [(each.name, each.processes) for each in source.nuisances]
    [('xsec_top', ('ttbar', 'st')), ('xsec_v', ('wjets',))]
    """
    groups = _groups(source.name, processes, channels)
    own = [Nuisance(f"{source.name}_{label}", 1.0, *where) for label, where in groups]
    return dataclasses.replace(source, nuisances=tuple(own))


def partially_correlated(
    source: S, correlation: float, *, processes: Groups | None = None, channels: Groups | None = None
) -> S:
    r"""Return a source that is correlated by a coefficient between groups of processes or channels, such as years.

    Group i depends on :math:`\sqrt{\rho}\,\theta + \sqrt{1 - \rho}\,\theta_i`, of a parameter that all have and one of
    its own, so that two groups have the correlation :math:`\rho`.

    Parameters
    ----------
    source
        Of systematic uncertainty; it acts on the groups only.
    correlation
        Between 0 and 1.
    processes, channels
        The groups by label, or single names; one of the two.

    Raises
    ------
    ValueError
        When the coefficient is not between 0 and 1, both kinds of groups are given or none, or a name is in two.

    Examples
    --------
    >>> from hepgrad.analysis.systematics import Normalisation, partially_correlated
    >>> years = {"2017": ["ttbar_2017"], "2018": ["ttbar_2018"]}
    >>> source = partially_correlated(Normalisation("lumi", 0.02), 0.36, processes=years)
    >>> [(each.name, round(each.coefficient, 6)) for each in source.nuisances]
    [('lumi', 0.6), ('lumi_2017', 0.8), ('lumi', 0.6), ('lumi_2018', 0.8)]
    """
    if not 0 <= correlation <= 1:
        raise ValueError(f"{source.name}: a correlation must be between 0 and 1, got {correlation}")
    common, rest = math.sqrt(correlation), math.sqrt(1 - correlation)
    nuisances = [
        Nuisance(name, part, *where)
        for label, where in _groups(source.name, processes, channels)
        for name, part in ((source.name, common), (f"{source.name}_{label}", rest))
        if part > 0
    ]
    return dataclasses.replace(source, nuisances=tuple(nuisances))


def _groups(
    source: str, processes: Groups | None, channels: Groups | None
) -> list[tuple[str, tuple[Sequence[str] | None, Sequence[str] | None]]]:
    """Return the label of each group, and its processes and channels."""
    if (processes is None) == (channels is None):
        raise ValueError(f"{source}: give groups either of processes or of channels")
    kind, groups = ("channels", channels) if processes is None else ("processes", processes)
    assert groups is not None
    named = groups if isinstance(groups, Mapping) else {name: [name] for name in groups}
    members = [name for group in named.values() for name in group]
    if repeated := sorted({name for name in members if members.count(name) > 1}):
        raise ValueError(f"{source}: {repeated} are in more than one group of {kind}")
    return [(label, (group, None) if kind == "processes" else (None, group)) for label, group in named.items()]
