"""An analysis: stages, channels, a statistical model and an objective, as one function of the parameters."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

from .cut import Hard, Reading, Soft
from .cutflow import Cutflow
from .dataset import Dataset
from .events import Events
from .histogram import Axis, Counts, fill_hard, fill_soft
from .parameters import Parameters
from .stage import Stage
from .statistics import CountingModel

# columns, weight and process of the events of one block
Block: TypeAlias = tuple[rg.RecordArray, jax.Array, jax.Array]


@dataclasses.dataclass(frozen=True)
class Channel:
    """One histogram that enters the fit.

    Attributes
    ----------
    name
        Name of the channel.
    observable
        Name of the event-level column that is filled.
    axis
        The bins.
    bandwidth
        Of the Gaussian kernel in the soft reading, in the observable's unit, times the reading's width; by default
        half of the narrowest bin.
    """

    name: str
    observable: str
    axis: Axis
    bandwidth: float | None = None

    def fill(self, events: Events, reading: Reading, groups: jax.Array, num_groups: int) -> Counts:
        """Fill the histogram, one row per process.

        Parameters
        ----------
        events
            Selected events.
        reading
            Hard readings fill bins, soft ones spread each event with the kernel.
        groups
            int32, shape (events,): the process of each event; ``num_groups`` and above is left out.
        num_groups
            The number of processes.

        Returns
        -------
        Counts
            Of shape (num_groups, bins + 2), underflow first and overflow last.
        """
        values = getattr(events, self.observable)
        common: dict[str, Any] = {"probability": events.probability, "groups": groups, "num_groups": num_groups}
        if isinstance(reading, Hard):
            return fill_hard(values, events.weight, self.axis, **common)
        bandwidth = self.bandwidth or float(min(self.axis.edges[1:] - self.axis.edges[:-1])) / 2
        soft = fill_soft(values, events.weight, self.axis, bandwidth=bandwidth * reading.width, **common)
        if isinstance(reading, Soft):
            return soft
        hard = fill_hard(values, events.weight, self.axis, **common)
        return jax.tree.map(lambda h, s: jax.lax.stop_gradient(h - s) + s, hard, soft)


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
        Turns histograms into a likelihood.
    objective
        Name of the model's figure of merit to maximise (``"discovery"``).

    Raises
    ------
    ValueError
        When two stages or two channels have the same name, or the model does not know the objective.
    """

    stages: Sequence[Stage]
    channels: Sequence[Channel]
    model: CountingModel
    objective: str = "discovery"

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        object.__setattr__(self, "channels", tuple(self.channels))
        for kind, parts in (("stage", self.stages), ("channel", self.channels)):
            names = [part.name for part in parts]
            if not names or len(set(names)) < len(names):
                raise ValueError(f"an analysis needs at least one {kind}, each with a name of its own; got {names}")
        if self.objective not in self.model.objectives:
            raise ValueError(f"the model has no objective {self.objective!r}; it has {sorted(self.model.objectives)}")

    @property
    def reads(self) -> tuple[str, ...]:
        """The branches that the stages need, in order and without repetition."""
        return tuple(dict.fromkeys(branch for stage in self.stages for branch in stage.reads))

    def replace_stage(self, name: str, stage: Stage | None) -> Analysis:
        """Return the analysis with one stage swapped, or removed when ``stage`` is None.

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
        names = [s.name for s in self.stages]
        if name not in names:
            raise KeyError(f"no stage {name!r}; the stages are {names}")
        swapped = [stage if s.name == name else s for s in self.stages]
        return dataclasses.replace(self, stages=[s for s in swapped if s is not None])

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
        """
        cut = parameters.cuts(reading)
        for stage in self.stages:
            events = stage(events, cut)
        return events

    @functools.partial(jax.jit, static_argnames="self")
    def histograms(self, data: Dataset, parameters: Parameters, reading: Reading) -> dict[str, Counts]:
        """Fill every channel from all blocks.

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
        dict
            By channel, `Counts` of shape (processes, bins + 2).
        """
        num_groups = len(data.processes)

        def local(parameters: Parameters, block: Block) -> dict[str, Counts]:
            columns, weight, process = block
            # probabilities of 1 before any selection are made here, where they cost no memory
            selected = self.select(Events.of(columns, weight), parameters, reading)
            return {c.name: c.fill(selected, reading, process, num_groups) for c in self.channels}

        blocks = (data.columns, data.weight, data.process)
        if data.blocks == 1:
            return local(parameters, jax.tree.map(lambda leaf: leaf[0], blocks))

        def add(total: dict[str, Counts], block: Block) -> tuple[dict[str, Counts], None]:
            return jax.tree.map(jnp.add, total, jax.checkpoint(local)(parameters, block)), None

        shapes = jax.eval_shape(local, parameters, jax.tree.map(lambda leaf: leaf[0], blocks))
        zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        return jax.lax.scan(add, zeros, blocks)[0]

    @functools.partial(jax.jit, static_argnames="self")
    def figure_of_merit(self, histograms: Mapping[str, Counts], data: Dataset) -> jax.Array:
        """Return the objective for given histograms (larger is better).

        Parameters
        ----------
        histograms
            By channel, as `histograms` returns them.
        data
            The events that they are filled from; their processes and typical weights are used.
        """
        axes = {c.name: c.axis for c in self.channels}
        return self.model.objectives[self.objective](histograms, axes, data.processes, data.typical_weight)

    def evaluate(self, data: Dataset, parameters: Parameters, reading: Reading) -> jax.Array:
        """Return the objective for given events and parameters (larger is better): the function that is differentiated.

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

    @functools.partial(jax.jit, static_argnames="self")
    def cutflow(self, data: Dataset, parameters: Parameters) -> Cutflow:
        """Count the events that pass each named selection step, in the hard reading.

        Parameters
        ----------
        data
            The events.
        parameters
            The cut values.
        """

        def local(block: Block) -> Cutflow:
            columns, weight, process = block
            selected = self.select(Events.of(columns, weight), parameters, Hard())
            return Cutflow.of(selected, process, len(data.processes))

        per_block = jax.lax.map(local, (data.columns, data.weight, data.process))
        return jax.tree.map(lambda part: part.sum(axis=0), per_block)
