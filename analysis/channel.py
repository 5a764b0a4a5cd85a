"""Channels: the histograms that an analysis is reduced to."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from .histogram import DEFAULT_KERNEL, Axis, Counts, Kernel, Variable, fill_hard, fill_soft
from .parameters.edges import Edges
from .parameters.parameters import Parameters
from .selection.cut import Hard, Reading, Soft
from .selection.events import Events


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
        events = events if self.region is None else events.in_region(self.region)
        values, edges = getattr(events, self.observable), self._edges(parameters)
        common: dict[str, Any] = {"probability": events.probability, "groups": groups, "num_groups": num_groups}
        if isinstance(reading, Hard):
            return fill_hard(values, events.weight, edges, **common)
        bandwidth = self.bandwidth or float(min(self.axis.edges[1:] - self.axis.edges[:-1])) / 2
        factor = reading.width if reading.bandwidth is None else reading.bandwidth
        smear: dict[str, Any] = {"bandwidth": bandwidth * factor, "kernel": self.kernel}
        soft = fill_soft(values, events.weight, edges, **smear, **common)
        if isinstance(reading, Soft):
            return soft
        hard = fill_hard(values, events.weight, edges, **common)
        return jax.tree.map(lambda h, s: jax.lax.stop_gradient(h - s) + s, hard, soft)
