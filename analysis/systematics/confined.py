"""Weight variations that act on some processes do nothing to the events of all others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ..selection.events import Events
from .sources import Source, WeightVariation
from .weight_sets import WeightSet


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
        _confined(each, process, processes) if isinstance(each, WeightVariation | WeightSet) else each
        for each in sources
    ]


def _confined(
    source: WeightVariation | WeightSet, process: jax.Array, processes: Sequence[str]
) -> WeightVariation | WeightSet:
    if source.processes is None:
        return source
    numbers = [number for number, name in enumerate(processes) if name in source.processes]
    mine = jnp.isin(process, jnp.asarray(numbers, process.dtype))

    if isinstance(source, WeightSet):
        whole = source.matrix
        return dataclasses.replace(source, weights=lambda events: jnp.where(mine[:, None], whole(events), 1))

    def only_mine(factor: Callable[[Events], Any]) -> Callable[[Events], jax.Array]:
        return lambda events: jnp.where(mine, factor(events), 1)

    down = None if source.down is None else only_mine(source.down)
    return dataclasses.replace(source, up=only_mine(source.up), down=down)
