"""Every number of a block of events by a name that a person knows, without what lies behind the end of a buffer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

from .events import Events
from .later import settled
from .objects import Objects


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Numbers:
    """An array of a block of events.

    Attributes
    ----------
    values
        One number, or several in further axes, per event or object.
    valid
        bool, shape (events or objects,): which of them are data; None when all are.
    """

    values: jax.Array
    valid: jax.Array | None

    @property
    def not_finite(self) -> jax.Array:
        """How many are NaN or infinite (int32 scalar); integers never are."""
        if not jnp.issubdtype(self.values.dtype, jnp.inexact):
            return jnp.zeros((), jnp.int32)
        return jnp.sum(~jnp.isfinite(self.values) & self.mask, dtype=jnp.int32)

    @property
    def mask(self) -> jax.Array:
        """Which values are data (bool, of the same shape)."""
        if self.valid is None:
            return jnp.ones(self.values.shape, bool)
        further = range(self.valid.ndim, self.values.ndim)
        return jnp.broadcast_to(jnp.expand_dims(self.valid, tuple(further)), self.values.shape)


def event_numbers(events: Events, kept: jax.Array) -> dict[str, Numbers]:
    """Return the numbers of a block of events by name: ``Jet.pt``, ``MET.pt``, ``ht``, ``probability``.

    ``kept`` (bool, shape (events,)) tells which of them are data, and not there to fill up the block.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Events
    >>> from hepgrad.analysis.selection.event_numbers import event_numbers
    >>> columns = rg.RecordArray({"Jet": rg.from_lists([[{"pt": 50.0}], []]), "ht": jnp.array([50.0, jnp.nan])})
    >>> for name, numbers in event_numbers(Events.of(columns, jnp.ones(2)), jnp.array([True, True])).items():
    ...     print(name, numbers.values, numbers.not_finite)
    Jet.pt [50.] 0
    probability of Jet [1.] 0
    ht [50. nan] 1
    weight [1. 1.] 0
    probability [1. 1.] 0
    """
    columns = settled(events.columns)
    named = dict(pair for name, column in columns.items() for pair in _of_column(name, column, kept))
    per_event = {"weight": events.weight, "probability": events.probability}
    per_event |= {f"probability of the region {name}": p for name, p in events.regions.items()}
    return named | {name: Numbers(values.content, kept) for name, values in per_event.items()}


def in_rows(kept: jax.Array, array: rg.RaggedArray) -> jax.Array:
    """Return which items of a ragged array are data, bool of shape (capacity,), from which of its rows are."""
    return kept.at[array.row_ids].get(mode="fill", fill_value=False)


def _of_column(name: str, column: Any, valid: jax.Array) -> Iterator[tuple[str, Numbers]]:
    if isinstance(column, Objects):
        yield from _of_column(name, column.array, valid)
        yield from _of_column(f"probability of {name}", column.probability, valid)
    elif isinstance(column, rg.RaggedArray):
        yield from _of_column(name, column.content, in_rows(valid, column))
    elif isinstance(column, rg.RecordArray):
        for field, values in column.columns.items():
            yield from _of_column(f"{name}.{field}", values, valid)
    else:
        yield name, Numbers(column.content if isinstance(column, rg.FlatArray) else column, valid)
