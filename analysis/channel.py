"""Channels: the histograms that an analysis is reduced to."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from .histogram import DEFAULT_KERNEL, Axis, Counts, Kernel, Variable, fill_hard, fill_soft
from .histogram.many_weights import fill_hard_many, fill_soft_many
from .histogram.several import Observables, fill_hard_each, fill_soft_each
from .parameters.edges import Edges
from .parameters.parameters import Parameters
from .selection.cut import Hard, Reading, Soft, StraightThrough
from .selection.events import Events
from .selection.objects import Objects

# bins that are computed for nothing, where channels of different numbers of bins share a program
MOST_PADDING = 1.5


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
        Of the kernel in the soft reading, in the observable's unit, times the reading's width; by default
        half of the narrowest bin.
    region
        Name of the region (`Events.categorise`) that it is filled from; all selected events by default.
    kernel
        What the soft reading smears events with.
    edges
        Name of the parameter (`Edges`) that holds the edges; by default those of the axis, which stay.
    """

    name: str
    observable: str
    axis: Axis
    bandwidth: float | None = None
    region: str | None = None
    kernel: Kernel = DEFAULT_KERNEL
    edges: str | None = None

    @property
    def cells(self) -> int:
        """The number of bins, under- and overflow included."""
        return len(self.axis.edges) + 1

    def axis_at(self, parameters: Parameters) -> Axis:
        """Return the axis with the edges that the parameters have; not inside ``jit``.

        Parameters
        ----------
        parameters
            The cut values, and the edges.

        Raises
        ------
        KeyError, TypeError
            When the parameter of the edges is missing, or is not `Edges`.
        """
        if self.edges is None:
            return self.axis
        a = self.axis
        return Variable(np.asarray(self._edges(parameters)), name=a.name, label=a.label, unit=a.unit, flow=a.flow)

    def _edges(self, parameters: Parameters) -> Axis | jax.Array:
        if self.edges is None:
            return self.axis
        value = parameters[self.edges]
        spec = parameters.specs[self.edges]
        if not isinstance(spec, Edges):
            raise TypeError(
                f"channel {self.name!r}: the parameter {self.edges!r} must be Edges, got {type(spec).__name__}"
            )
        if spec.bins != len(self.axis.edges) - 1:
            raise ValueError(
                f"channel {self.name!r}: the parameter {self.edges!r} has {spec.bins} bins, the axis has "
                f"{len(self.axis.edges) - 1}"
            )
        return spec.at(value)

    def fill(
        self, events: Events, parameters: Parameters, reading: Reading, groups: jax.Array, num_groups: int
    ) -> Counts:
        """Fill the histogram, one row per process.

        Parameters
        ----------
        events
            Selected events.
        parameters
            The edges, where the channel's can move.
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
        values, probability = self._observed(events)
        weight = events.weight.content
        edges = self._edges(parameters)
        common: dict[str, Any] = {"groups": groups, "num_groups": num_groups}
        if isinstance(reading, Hard):
            return fill_hard(values, weight, edges, probability=probability, **common)
        smear: dict[str, Any] = {"bandwidth": self._bandwidth(reading), "kernel": self.kernel}
        soft = fill_soft(values, weight, edges, probability=probability, **smear, **common)
        if isinstance(reading, Soft):
            return soft
        hard = fill_hard(values, weight, edges, probability=probability, **common)
        return _with_values_of(hard, soft)

    def _observed(self, events: Events) -> tuple[jax.Array, jax.Array]:
        """Return what is filled of each event, and the probability that it is."""
        try:
            events = events if self.region is None else events.in_region(self.region)
            values = getattr(events, self.observable)
        except (AttributeError, KeyError) as error:
            raise type(error)(f"channel {self.name!r}: {error.args[0]}") from None
        collected = isinstance(values, Objects | rg.RaggedArray | rg.RecordArray)
        if collected or getattr(values, "shape", ()) != (len(events),):
            raise TypeError(
                f"channel {self.name!r} needs one number for each event, and {self.observable!r} is none: take that of "
                "one object (`events.Jet.leading('pt')`), count them or add them up, and name it with `with_field`"
            )
        return values, events.probability.content

    def _bandwidth(self, reading: Soft | StraightThrough) -> jax.Array | float:
        bandwidth = self.bandwidth or float(min(self.axis.edges[1:] - self.axis.edges[:-1])) / 2
        return bandwidth * (reading.width if reading.bandwidth is None else reading.bandwidth)


def _with_values_of(hard: Any, soft: Any) -> Any:
    """Return the values of hard histograms with the derivatives of soft ones."""
    return jax.tree.map(lambda h, s: jax.lax.stop_gradient(h - s) + s, hard, soft)


def fill_channels(
    channels: Sequence[Channel],
    events: Events,
    parameters: Parameters,
    reading: Reading,
    groups: jax.Array,
    num_groups: int,
    factors: jax.Array | None = None,
) -> Counts:
    """Fill several channels, once or with many weights.

    The result has shape (num_groups, cells): the histograms side by side, in the order of the channels. With
    ``factors`` on the weights, shape (factors, events), it has a row for each. Other arguments are those of
    `Channel.fill`.
    """
    filled: dict[str, Counts] = {}
    for alike in alike_channels(channels):
        if len(alike) == 1 and factors is None:
            filled[alike[0].name] = alike[0].fill(events, parameters, reading, groups, num_groups)
        else:
            counts = _fill_alike(alike, events, parameters, reading, groups, num_groups, factors)
            filled |= zip((channel.name for channel in alike), counts, strict=True)
    return jax.tree.map(lambda *parts: jnp.concatenate(parts, axis=-1), *(filled[c.name] for c in channels))


def alike_channels(channels: Sequence[Channel]) -> list[list[Channel]]:
    """Return channels in groups that are filled by one program: same kernel, and not too different numbers of bins."""
    groups: list[list[Channel]] = []
    for channel in sorted(channels, key=lambda channel: -channel.cells):
        for group in groups:
            cells = sum(each.cells for each in group) + channel.cells
            padded = (len(group) + 1) * group[0].cells
            if group[0].kernel == channel.kernel and padded <= MOST_PADDING * cells:
                group.append(channel)
                break
        else:
            groups.append([channel])
    return groups


def _fill_alike(
    channels: Sequence[Channel],
    events: Events,
    parameters: Parameters,
    reading: Reading,
    groups: jax.Array,
    num_groups: int,
    factors: jax.Array | None,
) -> list[Counts]:
    """Return the histogram of each channel."""
    values, probabilities = zip(*(channel._observed(events) for channel in channels), strict=True)
    observables = Observables(jnp.stack(values), jnp.stack(probabilities), events.weight.content, groups, num_groups)
    edges = [channel._edges(parameters) for channel in channels]

    def hard() -> list[Counts]:
        if factors is None:
            return fill_hard_each(observables, edges)
        return fill_hard_many(observables, factors, edges)

    if isinstance(reading, Hard):
        return hard()
    smear: Any = {"bandwidths": [channel._bandwidth(reading) for channel in channels], "kernel": channels[0].kernel}
    if factors is None:
        soft = fill_soft_each(observables, edges, **smear)
    else:
        soft = fill_soft_many(observables, factors, edges, **smear)
    if isinstance(reading, Soft):
        return soft
    return [_with_values_of(*each) for each in zip(hard(), soft, strict=True)]
