"""A workflow: an analysis, the events it runs on or a source that finds them, and the settings of its optimisation."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import awkward as ak
import numpy as np
import optax
from rich.table import Table

from hepgrad.analysis import Analysis, Anneal, Channel, CountingModel, Dataset, Parameters, Weights
from hepgrad.analysis.printing import as_html, as_names
from hepgrad.analysis.stages.expression import parse
from hepgrad.analysis.systematics import Normalisation
from hepgrad.analysis.systematics.contract import templates_only

from .errors import InputError
from .files.names import check_names, check_parameters
from .messages.redaction import located
from .read import NANOAOD, Fileset, Ingredients, Layout, read_events, simulated
from .read.era import Era
from .read.estimates.parts import conditions, measured, with_datasets, with_estimates
from .read.process import Process as Process
from .read.reader import Request
from .read.trust.agreement import NOT_FINITE, NotFinite
from .read.trust.overlap import check_overlap
from .settings.parts import check_parts
from .settings.ranges import RANGES

# the process of the observed events
DATA = "data"


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
        The parts of the prediction; and collision data, marked as ``observed``, which become the `source` and are not
        looked at before the run is told to unblind. Of those that data estimate (`SameSign`, `FakeRate`), the
        uncertainty becomes a source of the statistical model.
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
    eras
        Periods of data taking by name, with a luminosity and perhaps a layout: simulated samples of which the fileset
        says that they are of one (``"era": "2017"``) stand for its luminosity. `luminosity` is then the sum of all.
    cross_sections
        In pb by sample, for filesets that do not say them.
    replicas
        Of the held-out events, for the bootstrap that tells how well the improvement is known; at least two.
    folds
        Cross-fitting: divide all events by their numbers (the column ``event``) into so many parts, optimise once for
        each, on all events but those of that part, and judge every event by the cuts that never saw it. The result then
        stands on all simulated events, and observed ones get the cuts of their number. With 1, the default, cuts are
        optimised once, on one half of the events, and judged by the other half.
    shared
        Names of parameters that are the same in all folds, see `hepgrad.analysis.cross_fit`.
    skim
        Drops events and objects of a file that no cut values could accept, when they are read; ``"loosest"`` derives
        from the analysis which events these are (see `hepgrad.workflows.skim.Loosest`).
    not_finite
        What becomes of events with NaN or infinite values in a column that stages read: ``"refuse"``, ``"drop"`` or
        ``"keep"``, see `load`.
    plots
        Control plots: any column that stages read or make, or an expression of them (``"leading(Jet.pt)"``), in any
        bins, drawn before the first and after each named cut with the total uncertainty of the prediction. Once the run
        is told to unblind, with the observed events and their ratio.

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
    eras: Mapping[str, Era] = dataclasses.field(default_factory=dict)
    replicas: int = 100
    folds: int = 1
    shared: Sequence[str] = ()
    skim: Callable[[ak.Array], ak.Array] | Literal["loosest"] | None = None
    not_finite: NotFinite = "refuse"
    plots: Sequence[Channel] = ()

    def __post_init__(self) -> None:
        for name, found in check_parts(f"workflow {self.name!r}", vars(self)).items():
            object.__setattr__(self, name, found)
        seen = tuple(process for process in self.processes if process.observed)
        object.__setattr__(self, "processes", tuple(process for process in self.processes if not process.observed))
        if seen and self.source is not None:
            raise ValueError(
                f"workflow {self.name!r}: process {seen[0].name!r} is observed, but its source finds the observed "
                "events already; leave out one of the two"
            )
        if seen:
            object.__setattr__(self, "source", ObservedSamples(seen))
        data = self.source.processes if isinstance(self.source, ObservedSamples) else ()
        object.__setattr__(self, "processes", with_datasets(self.processes, data))
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
        object.__setattr__(self, "shared", as_names(self.shared))
        if unknown := [name for name in self.shared if name not in self.parameters.free]:
            raise ValueError(
                f"workflow {self.name!r}: there is no free parameter {unknown[0]!r} to share between folds; there are "
                f"{self.parameters.free}"
            )
        check_names(where, "control plot", [plot.name for plot in self.plots])
        for plot in self.plots:
            parse(plot.observable)  # an error now, and not after the optimisation
        for sample, layout in self.layouts.items():
            if layout.separator != self.layout.separator:
                raise ValueError(
                    f"workflow {self.name!r}: the layout of sample {sample!r} has the separator {layout.separator!r}, "
                    f"the others have {self.layout.separator!r}; columns have one name for all samples"
                )
        total = math.fsum(era.luminosity for era in self.eras.values())
        if self.eras and abs(total - self.luminosity) > 1e-6 * total:
            raise ValueError(
                f"workflow {self.name!r}: its eras have {total:g}/pb together, and its luminosity is "
                f"{self.luminosity:g}/pb; it has to be their sum"
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
                f"signal is {expected}; mark the same ones: Process(..., signal=True)"
            )

    def table(self) -> Table:
        """Return the processes as a table."""
        table = Table(title=f"{self.title}, {self.luminosity:g}/pb from {self.data}", title_justify="left")
        for column in ("process", "samples", "what"):
            table.add_column(column)
        for process in self.processes:
            what = "signal" if process.signal else "background" if process.estimate is None else "estimated from data"
            table.add_row(process.name, ", ".join(process.datasets), what)
        if isinstance(self.source, ObservedSamples):
            for process in self.source.processes:
                table.add_row(process.name, ", ".join(process.datasets), "observed, blinded until asked")
        return table

    def __repr__(self) -> str:
        return f"Workflow({self.name!r}, processes={[process.name for process in self.processes]}, {self.analysis!r})"

    def _repr_html_(self) -> str:
        return as_html(self.table(), self.analysis.table(), self.parameters.table())

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
        templates = templates_only(self.analysis.model.systematics)
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
    def luminosity(self, fileset: Fileset) -> float | None:
        """Return the integrated luminosity of the observed events, which the prediction is normalised to, in 1/pb.

        None where it is the one that the workflow says.

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

    def measured(self, workflow: Workflow, fileset: Fileset) -> Workflow:
        """Return the workflow with what is measured in data before anything is optimised; nothing, usually.

        Parameters
        ----------
        workflow
            Its processes and its luminosity.
        fileset
            As from `fileset`.
        """
        return workflow

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


@dataclasses.dataclass(frozen=True)
class ObservedSamples(EventSource):
    """Collision data that are samples of a fileset, beside simulated ones: what ``observed=True`` makes of a process.

    Attributes
    ----------
    processes
        With the samples that hold the data; each observed event counts once.
    """

    processes: tuple[Process, ...]

    def settings(self) -> dict[str, Any]:
        """Return the names of the samples."""
        return {"observed": [name for process in self.processes for name in process.datasets]}

    def fileset(self, data: Path) -> Fileset:
        """Return the fileset; the argument is that of every source."""
        return Fileset.load(data)

    def luminosity(self, fileset: Fileset) -> None:
        """Return None: the workflow says the luminosity; the argument is that of every source."""
        return None

    def ingredients(self, workflow: Workflow, fileset: Fileset) -> Ingredients:
        """Return what each process is made of.

        Raises `InputError` when a process of the prediction is made of collision data, which would unblind them.
        """
        names = {name: process for process in self.processes for name in process.datasets}
        for process in workflow.processes:
            if process.estimate is None and (both := sorted(names.keys() & set(process.datasets))):
                raise InputError(
                    f"sample {both[0]!r} is observed ({names[both[0]].name!r}), and part of the predicted process "
                    f"{process.name!r}; collision data are no prediction"
                )
        templates = templates_only(workflow.analysis.model.systematics)
        return with_estimates(workflow.processes, self.processes, fileset, workflow.luminosity, templates)

    def measured(self, workflow: Workflow, fileset: Fileset) -> Workflow:
        """Return the workflow with what estimates measure, and with their uncertainties in its model."""
        if not any(process.estimate for process in workflow.processes):
            return workflow
        model = workflow.analysis.model
        processes = measured(
            workflow.processes,
            self.processes,
            fileset,
            workflow.luminosity,
            tree=workflow.tree,
            layout=workflow.layout,
            templates=templates_only(model.systematics),
        )
        known = {source.name for source in model.systematics}
        model = model.with_sources([source for source in _uncertainties(processes) if source.name not in known])
        return dataclasses.replace(
            workflow, processes=processes, analysis=dataclasses.replace(workflow.analysis, model=model)
        )

    def observed(self, workflow: Workflow, fileset: Fileset) -> Dataset:
        """Read the data: the columns of the stages, events of certified luminosity blocks, each of them once."""
        # without the columns of the systematic sources, which only simulation has
        analysis = dataclasses.replace(workflow.analysis, model=CountingModel((DATA,), 0.0), objective="discovery")
        samples = [sample for process in self.processes for sample in process.samples(fileset).values()]
        # that data count as they are is known here, whatever the fileset says of their luminosity
        request = Request(analysis.reads, tree=workflow.tree, layout=workflow.layout)
        check_overlap(DATA, [dataclasses.replace(sample, luminosity=1.0) for sample in samples], request)
        parts = []
        # those of the selection, and not those that estimates are made of
        left, reads = conditions(workflow.processes)
        samples = [
            dataclasses.replace(sample, keep=(*sample.keep, *left), reads=(*sample.reads, *reads)) for sample in samples
        ]
        for sample in samples:
            columns = list(dict.fromkeys([*analysis.reads, *sample.reads]))
            how: dict[str, Any] = {"layout": request.layout_of(sample), "friends": sample.friends}
            events = read_events(sample.files, columns, tree=workflow.tree, **how)
            for keep in sample.keep:
                events = events[keep(events)]
            parts.append(events[[name for name in events.fields if name in _fields(analysis.reads, workflow.layout)]])
        events = ak.concatenate(parts)
        return Dataset.from_awkward({DATA: events}, {DATA: np.ones(len(events))}, block_size=workflow.block_size)


def _uncertainties(processes: Sequence[Process]) -> Iterator[Normalisation]:
    """Yield the sources of uncertainty of what is estimated from data."""
    for process in processes:
        if process.estimate is not None and (uncertainty := process.estimate.relative_uncertainty()) > 0:
            yield Normalisation(f"{process.name}_estimate", uncertainty, processes=(process.name,))


def _fields(columns: Sequence[str], layout: Layout) -> set[str]:
    return {layout.field(column)[0] for column in columns}
