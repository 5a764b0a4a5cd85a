"""A workflow: an analysis, the events it runs on or a source that finds them, and the settings of its optimisation."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import awkward as ak
import optax

from hepgrad.analysis import Analysis, Anneal, Dataset, Parameters, Weights
from hepgrad.analysis.systematics import AlternativeSample

from .files.names import check_names, check_parameters
from .messages.redaction import located
from .read import NANOAOD, Fileset, Ingredients, Layout, simulated
from .read.process import Process as Process
from .read.trust.agreement import NOT_FINITE, NotFinite
from .settings.ranges import RANGES


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workflow:
    """Everything that `run` needs to go from ROOT files to a report.

    Attributes
    ----------
    name
        Short name, for the command line and folders.
    title
        One line, for people.
    analysis
        Stages, channels, statistical model and objective.
    parameters
        The cut values to start from.
    processes
        The parts of the prediction.
    luminosity
        Integrated luminosity in 1/pb that event weights are normalised to.
    data
        Folder with a ``fileset.json``, or such a file; may begin with ``~``.
    energy
        Centre-of-mass energy in TeV, for the labels of plots.
    experiment
        What plots say at the top left, such as ``"CMS Open Data"``; they are drawn in the style that mplhep has for the
        first word.
    steps
        Steps of the optimisation.
    learning_rate
        Of Adam, in units of the parameters' scales.
    weight_decay
        Of the weights of networks (`Weights`), against overtraining: each step takes this fraction, times the learning
        rate, off them (AdamW: Loshchilov and Hutter, arXiv:1711.05101). Cuts and edges are left alone.
    anneal
        The width factor of the soft cuts from step to step.
    check_every
        Steps between hard evaluations on the training events.
    block_size
        Events per block; by default what suits the device.
    draws
        Points whose cuts are drawn inside the bounds and evaluated before the first descent, which begins at the best
        of them and of the parameters' own. They find the right neighbourhood where an objective has several.
    starts
        Points to start from: the parameters' own, and others drawn inside the bounds. The best result of all wins.
    seed
        Of the points that are drawn.
    source
        Finds and reads the events where a fileset of simulated samples does not say it all, and has the observed ones.
    layout
        How the files call the columns that the stages read.
    layouts
        By sample, the layout of its files where that is another one, with the same separator.
    tree
        Name of the tree in every file.
    cross_sections
        In pb by sample, for filesets that do not say them.
    replicas
        Of the held-out events, for the bootstrap that tells how well the improvement is known; at least two.
    skim
        Drops events and objects of a file that no cut values could accept, when they are read; ``"loosest"`` derives
        from the analysis which events these are (see `hepgrad.workflows.skim.Loosest`).
    not_finite
        What becomes of events with NaN or infinite values in a column that stages read: ``"refuse"``, ``"drop"`` or
        ``"keep"``, see `load`.

    Raises
    ------
    ValueError
        When a name could not be that of a file, a histogram or an attribute, two processes share a name, no process is
        the signal, the statistical model has another signal, or there are fewer than two replicas, less than no draws,
        or a negative weight decay; when another number is out of range, NaN or infinite.
    """

    name: str
    title: str
    analysis: Analysis
    parameters: Parameters
    processes: Sequence[Process]
    luminosity: float
    data: Path
    energy: float = 13.0
    experiment: str = ""
    steps: int = 300
    learning_rate: float = 0.1
    weight_decay: float = 0.0
    anneal: Anneal = dataclasses.field(default_factory=Anneal)
    check_every: int = 10
    block_size: int | None = None
    draws: int = 0
    starts: int = 1
    seed: int = 0
    source: EventSource | None = None
    layout: Layout = NANOAOD
    layouts: Mapping[str, Layout] = dataclasses.field(default_factory=dict)
    tree: str = "Events"
    cross_sections: Mapping[str, float] = dataclasses.field(default_factory=dict)
    replicas: int = 100
    skim: Callable[[ak.Array], ak.Array] | Literal["loosest"] | None = None
    not_finite: NotFinite = "refuse"

    def __post_init__(self) -> None:
        object.__setattr__(self, "processes", tuple(self.processes))
        object.__setattr__(self, "data", located(self.data))
        for name, allowed in RANGES.items():
            allowed.check_kind(getattr(self, name), f"workflow {self.name!r}: {name}")
        if self.draws < 0:
            raise ValueError(f"workflow {self.name!r}: the number of draws cannot be negative, got {self.draws}")
        if self.weight_decay < 0:
            raise ValueError(f"workflow {self.name!r}: the weight decay cannot be negative, got {self.weight_decay}")
        if self.replicas < 2:
            raise ValueError(f"workflow {self.name!r}: the bootstrap needs at least two replicas, got {self.replicas}")
        for name, allowed in RANGES.items():
            allowed.check(getattr(self, name), f"workflow {self.name!r}: {name}")
            object.__setattr__(self, name, allowed.plain(getattr(self, name)))
        if self.not_finite not in NOT_FINITE:
            raise ValueError(
                f"workflow {self.name!r}: not_finite must be one of {', '.join(NOT_FINITE)}, got {self.not_finite!r}"
            )
        where = f"workflow {self.name!r}"
        check_names("the workflow", "workflow", [self.name])
        check_parameters(where, self.parameters)
        check_names(where, "channel", [channel.name for channel in self.analysis.channels])
        for sample, layout in self.layouts.items():
            if layout.separator != self.layout.separator:
                raise ValueError(
                    f"workflow {self.name!r}: the layout of sample {sample!r} has the separator {layout.separator!r}, "
                    f"the others have {self.layout.separator!r}; columns have one name for all samples"
                )
        names = [process.name for process in self.processes]
        if len(set(names)) < len(names):
            raise ValueError(f"workflow {self.name!r}: every process needs a name of its own, got {names}")
        check_names(where, "process", names)
        marked = sorted(process.name for process in self.processes if process.signal)
        expected = sorted(self.analysis.model.signal)
        if marked != expected:
            raise ValueError(
                f"workflow {self.name!r}: the processes marked as signal are {marked}, but the statistical model's "
                f"signal is {expected}"
            )

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """What moves the parameters: Adam, or AdamW where weights decay."""
        if not self.weight_decay:
            return optax.adam(self.learning_rate)

        def networks(coordinates: Mapping[str, Any]) -> dict[str, bool]:
            return {name: isinstance(self.parameters.specs[name], Weights) for name in coordinates}

        return optax.adamw(self.learning_rate, weight_decay=self.weight_decay, mask=networks)

    def ingredients(self, fileset: Fileset) -> Ingredients:
        """Return what each process is made of: its simulated samples, or what the source says.

        Parameters
        ----------
        fileset
            Which files make up which sample, and their normalisation.

        Raises
        ------
        InputError
            When a sample or its normalisation is missing.
        """
        if self.source is None:
            return simulated(self.processes, fileset, self.luminosity)
        return self.source.ingredients(self, fileset)

    @property
    def predicted(self) -> tuple[Process, ...]:
        """The processes that make up the prediction, without those that are only templates of another one."""
        alternatives = (s for s in self.analysis.model.systematics if isinstance(s, AlternativeSample))
        templates = {name for source in alternatives for name in source.samples}
        return tuple(process for process in self.processes if process.name not in templates)


class EventSource(abc.ABC):
    """Finds the events of a workflow: those of the prediction, and the observed ones when it is unblinded.

    A workflow without a source of its own reads the simulated samples of a ``fileset.json``, and has no observed
    events. See `hepgrad.workflows.analyses.htautau` for one with data, and with a background that is estimated
    from them.
    """

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return what determines the prediction beside the samples, as JSON can hold it."""

    @abc.abstractmethod
    def fileset(self, data: Path) -> Fileset:
        """Return which files make up which sample.

        Parameters
        ----------
        data
            Where the user says that the events are.

        Raises
        ------
        InputError
            When they are not there.
        """

    @abc.abstractmethod
    def luminosity(self, fileset: Fileset) -> float:
        """Return the integrated luminosity of the observed events, which the prediction is normalised to, in 1/pb.

        Parameters
        ----------
        fileset
            As from `fileset`.
        """

    @abc.abstractmethod
    def ingredients(self, workflow: Workflow, fileset: Fileset) -> Ingredients:
        """Return what each process is made of; no observed event of the signal selection may be among it.

        Parameters
        ----------
        workflow
            Its processes and its luminosity.
        fileset
            As from `fileset`.
        """

    @abc.abstractmethod
    def observed(self, workflow: Workflow, fileset: Fileset) -> Dataset:
        """Read the observed events, as the only process; called only to unblind.

        Parameters
        ----------
        workflow
            Its branches.
        fileset
            As from `fileset`.
        """
