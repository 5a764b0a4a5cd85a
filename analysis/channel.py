"""Channels: the histograms that an analysis is reduced to."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax

from .cut import Hard, Reading, Soft
from .events import Events
from .histogram import Axis, Counts, fill_hard, fill_soft


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
    """

    name: str
    observable: str
    axis: Axis
    bandwidth: float | None = None
    region: str | None = None

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
        events = events if self.region is None else events.in_region(self.region)
        values = getattr(events, self.observable)
        common: dict[str, Any] = {"probability": events.probability, "groups": groups, "num_groups": num_groups}
        if isinstance(reading, Hard):
            return fill_hard(values, events.weight, self.axis, **common)
        bandwidth = self.bandwidth or float(min(self.axis.edges[1:] - self.axis.edges[:-1])) / 2
        factor = reading.width if reading.bandwidth is None else reading.bandwidth
        soft = fill_soft(values, events.weight, self.axis, bandwidth=bandwidth * factor, **common)
        if isinstance(reading, Soft):
            return soft
        hard = fill_hard(values, events.weight, self.axis, **common)
        return jax.tree.map(lambda h, s: jax.lax.stop_gradient(h - s) + s, hard, soft)
