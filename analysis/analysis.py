"""An analysis: stages, channels, a statistical model and an objective, as one function of the parameters."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from rich.table import Table

from hepgrad import ragged as rg

from .channel import Channel, fill_channels
from .data.dataset import Dataset
from .data.precision import precise
from .data.recomputed import recomputed
from .histogram import Counts
from .kinds import listed
from .parameters.parameters import Parameters
from .printing import as_html
from .selection.cut import Hard, Reading
from .selection.cutflow import Cutflow
from .selection.events import Events
from .stages.black_boxes import no_black_boxes
from .stages.contract import AnyStage
from .stages.needs import branch_names, check_needs, needed_branches
from .statistics import StatisticalModel
from .statistics.objectives import Evaluation, Merit
from .systematics import Templates, fill_templates
from .systematics.confined import confined

# columns, weight and process of the events of one block
Block: TypeAlias = tuple[rg.RecordArray, jax.Array, jax.Array]

HARD = Hard()
# what every stage has, and how lists are written
STAGE = ("name", "reads", "parameters", "makes", "__call__")
STAGES = "stages=[select], where `select` is made by `@stage`"
CHANNELS = 'channels=[Channel("signal region", "ht", Regular(10, 0, 1000))]'


@dataclasses.dataclass(frozen=True)
class Analysis:
    """The whole analysis; everything static and hashable, so that its methods are compiled once.

    Attributes
    ----------
    stages
        Run in order.
    channels
        The histograms of the fit.
    model
        Turns histograms into a figure of merit: a `TemplateModel`, a `CountingModel`, or any `StatisticalModel`.
    objective
        The model's figure of merit to maximise: a name such as ``"discovery"``, or, with a `TemplateModel`, an
        objective with settings of its own or a function of the likelihood.
    frozen
        Names of the stages through which no derivative reaches the parameters; see `freeze`.

    Raises
    ------
    ValueError
        When two stages or two channels have the same name, or the model does not know the objective.
    """

    stages: Sequence[AnyStage]
    channels: Sequence[Channel]
    model: StatisticalModel
    objective: Any = "discovery"
    frozen: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", listed("stages", self.stages, STAGE, STAGES))
        object.__setattr__(self, "channels", listed("channels", self.channels, Channel, CHANNELS))
        for kind, parts in (("stage", self.stages), ("channel", self.channels)):
            names = [part.name for part in parts]
            if not names or len(set(names)) < len(names):
                raise ValueError(f"an analysis needs at least one {kind}, each with a name of its own; got {names}")
        self.model.figure_of(self.objective)

    @property
    def reads(self) -> tuple[str, ...]:
        """The branches that stages and systematic variations need, in order and without repetition."""
        varied = (branch for source in self.model.systematics for branch in source.reads)
        return tuple(dict.fromkeys([*needed_branches(self.stages), *varied]))

    def insert(self, stage: AnyStage, *, before: str | None = None, after: str | None = None) -> Analysis:
        """Return the analysis with one more stage, next to another one or, by default, at the end.

        Parameters
        ----------
        stage
            The new stage.
        before, after
            Name of the stage that it comes next to; not both.

        Raises
        ------
        KeyError
            When there is no such stage.
        ValueError
            When both are given, or the analysis has a stage of this name.
        """
        if before is not None and after is not None:
            raise ValueError(f"insert {stage.name!r} before {before!r} or after {after!r}, not both")
        position = len(self.stages)
        if before is not None:
            position = self._position(before)
        elif after is not None:
            position = self._position(after) + 1
        return dataclasses.replace(self, stages=[*self.stages[:position], stage, *self.stages[position:]])

    def replace(self, name: str, stage: AnyStage) -> Analysis:
        """Return the analysis with one stage swapped.

        Parameters
        ----------
        name
            Name of a stage.
        stage
            What takes its place.

        Raises
        ------
        KeyError
            When there is no such stage.
        """
        position = self._position(name)
        stages = [*self.stages[:position], stage, *self.stages[position + 1 :]]
        return dataclasses.replace(self, stages=stages, frozen=self.frozen - {name})

    def remove(self, name: str) -> Analysis:
        """Return the analysis without one of its stages.

        Parameters
        ----------
        name
            Name of a stage.

        Raises
        ------
        KeyError
            When there is no such stage.
        """
        position = self._position(name)
        stages = [*self.stages[:position], *self.stages[position + 1 :]]
        return dataclasses.replace(self, stages=stages, frozen=self.frozen - {name})

    def freeze(self, name: str) -> Analysis:
        """Return the analysis with one stage whose cuts stay as they are: no gradient moves them on its account.

        Parameters
        ----------
        name
            Name of a stage.

        Raises
        ------
        KeyError
            When there is no such stage.

        Examples
        --------
        >>> from hepgrad.analysis import Analysis, Channel, CountingModel, Regular, stage
        >>> @stage(reads=("MET_pt",))
        ... def missing_momentum(events, cut):
        ...     return events.select(events.MET.pt > cut.met)
        >>> channel = Channel("sr", "MET_pt", Regular(5, 0, 500))
        >>> analysis = Analysis([missing_momentum], [channel], CountingModel(["signal"], 0.1))
        >>> analysis.freeze("missing_momentum").frozen
        frozenset({'missing_momentum'})
        """
        return dataclasses.replace(self, frozen=self.frozen | {self.stages[self._position(name)].name})

    def _position(self, name: str) -> int:
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise KeyError(f"no stage {name!r}; the stages are {names}")
        return names.index(name)

    def select(self, events: Events, parameters: Parameters, reading: Reading) -> Events:
        """Run the stages on one block.

        Parameters
        ----------
        events
            A block of events.
        parameters
            The cut values.
        reading
            What a cut means.

        Raises
        ------
        ValueError
            Before anything runs, when a stage needs a branch or a parameter that is not there.
        """
        check_needs(self.stages, branches=branch_names(events.columns), parameters=parameters)
        free, held = parameters.cuts(reading), jax.lax.stop_gradient(parameters).cuts(reading)
        for stage in self.stages:
            with no_black_boxes(stage.name):
                events = stage(events, held if stage.name in self.frozen else free)
        return events

    @functools.partial(rg.checked, static_argnames="self")
    def histograms(self, data: Dataset, parameters: Parameters, reading: Reading) -> Templates:
        """Fill every channel from all blocks, nominally and for every systematic variation.

        Only histograms leave a block: the blocks are scanned, and the backward pass recomputes each block from its
        inputs, so that memory does not grow with their number.

        Parameters
        ----------
        data
            The events.
        parameters
            The cut values.
        reading
            What a cut means.

        Returns
        -------
        Templates
            By channel, `Counts` of shape (processes, bins + 2); the variations are its ``down`` and ``up``.
        """
        num_groups = len(data.processes)

        def local(parameters: Parameters, block: Block) -> Templates:
            columns, weight, process = block

            def fill(selected: Events, factors: jax.Array | None = None) -> Counts:
                return fill_channels(self.channels, selected, parameters, reading, process, num_groups, factors)

            def select(events: Events) -> Events:
                return self.select(events, parameters, reading)

            # probabilities of 1 before any selection are made here, where they cost no memory
            events = Events.of(columns, weight)
            systematics = confined(self.model.systematics, process, data.processes)
            cells = [(channel.name, channel.cells) for channel in self.channels]
            return fill_templates(systematics, events, select, fill, cells)

        blocks = (data.columns, data.weight, data.process)
        if data.blocks == 1:
            return local(parameters, jax.tree.map(lambda leaf: leaf[0], blocks))

        def add(total: Templates, block: Block) -> tuple[Templates, None]:
            return jax.tree.map(jnp.add, total, recomputed(local)(parameters, block)), None

        shapes = jax.eval_shape(local, parameters, jax.tree.map(lambda leaf: leaf[0], blocks))
        # the sum over many blocks is made in the highest precision that is enabled
        zeros = jax.tree.map(lambda s: precise(jnp.zeros(s.shape, s.dtype)), shapes)
        return jax.lax.scan(add, zeros, blocks)[0]

    def table(self) -> Table:
        """Return the stages and channels as a table."""
        table = Table(title=f"Analysis for {self.merit.title.lower()}", title_justify="left")
        for column in ("step", "name", "reads", "parameters"):
            table.add_column(column)
        for stage in self.stages:
            table.add_row("stage", stage.name, ", ".join(stage.reads), ", ".join(stage.parameters))
        for channel in self.channels:
            region = f" in {channel.region}" if channel.region else ""
            bins = f"{channel.observable}, {len(channel.axis.edges) - 1} bins{region}"
            table.add_row("channel", channel.name, bins, channel.edges or "")
        return table

    def __repr__(self) -> str:
        stages, channels = ([each.name for each in several] for several in (self.stages, self.channels))
        return f"Analysis(stages={stages}, channels={channels}, objective={self.objective!r})"

    def _repr_html_(self) -> str:
        return as_html(self.table())

    @property
    def merit(self) -> Merit:
        """How people are told the value of the objective."""
        return self.model.figure_of(self.objective).merit

    @functools.partial(jax.jit, static_argnames=("self", "confirmed"))
    def evaluation(self, histograms: Mapping[str, Counts], data: Dataset, *, confirmed: bool = False) -> Evaluation:
        """Return the objective for given histograms (larger is better), and whether the fits behind it converged.

        Parameters
        ----------
        histograms
            By channel, as `histograms` returns them.
        data
            The events that they are filled from; their processes and typical weights are used.
        confirmed
            Whether the value is compared with others or told to people: fits then look for other maxima, too.
        """
        axes = {c.name: c.axis for c in self.channels}
        figure = self.model.figure_of(self.objective)
        return figure(histograms, axes, data.processes, data.typical_weight, confirmed=confirmed)

    def figure_of_merit(self, histograms: Mapping[str, Counts], data: Dataset) -> jax.Array:
        """Return the objective for given histograms; NaN where a fit behind it did not converge.

        Parameters
        ----------
        histograms, data
            As for `evaluation`.
        """
        return self.evaluation(histograms, data).believed

    def evaluate(self, data: Dataset, parameters: Parameters, reading: Reading) -> jax.Array:
        """Return the objective for given events and parameters (larger is better): the function that is differentiated.

        Where a fit behind it did not converge, it is NaN; `evaluation` of `histograms` tells value and flag.

        Parameters
        ----------
        data
            The events.
        parameters
            The cut values.
        reading
            What a cut means.
        """
        return self.figure_of_merit(self.histograms(data, parameters, reading), data)

    @functools.partial(rg.checked, static_argnames="self")
    def cutflow(self, data: Dataset, parameters: Parameters, reading: Reading = HARD) -> Cutflow:
        """Count the events that pass each named selection step.

        Parameters
        ----------
        data
            The events.
        parameters
            The cut values.
        reading
            What a cut means; in a soft reading an event counts with the probability that it passes.
        """

        def local(block: Block) -> Cutflow:
            columns, weight, process = block
            selected = self.select(Events.of(columns, weight), parameters, reading)
            return Cutflow.of_events(selected, process, len(data.processes))

        per_block = jax.lax.map(local, (data.columns, data.weight, data.process))
        return jax.tree.map(lambda part: part.sum(axis=0), per_block)
