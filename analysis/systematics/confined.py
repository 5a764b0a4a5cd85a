"""Weight variations that act on some processes do nothing to the events of all others."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from .contract import Source


def confined(sources: Sequence[Source], process: jax.Array, processes: Sequence[str]) -> list[Source]:
    """Return sources whose factors are 1 for the events of the processes that they do not act on.

    What such a function makes of other events, which may lack what it looks at, is without consequence: NaN of theirs
    reaches neither a histogram nor a derivative. ``process`` is the index of the process of each event.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Events
    >>> from hepgrad.analysis.systematics import WeightVariation
    >>> from hepgrad.analysis.systematics.confined import confined
    >>> events = Events.of(rg.RecordArray({"scale": jnp.array([1.1, jnp.nan])}), jnp.ones(2))
    >>> scale = WeightVariation("scale", lambda events: events.scale, processes=["ttbar"])
    >>> (alone,) = confined([scale], jnp.array([0, 1]), ["ttbar", "data"])
    >>> alone.up(events)
    Array([1.1, 1. ], dtype=float32)
    """
    return [
        source.confined(_is_any(process, source.processes, processes))
        if source.weighted and source.processes
        else source
        for source in sources
    ]


def _is_any(process: jax.Array, wanted: Sequence[str], processes: Sequence[str]) -> jax.Array:
    """Return which events are of a wanted process."""
    numbers = [number for number, name in enumerate(processes) if name in wanted]
    return jnp.isin(process, jnp.asarray(numbers, process.dtype))
