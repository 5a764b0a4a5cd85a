"""Every number of a block of events by a name that a person knows, without what lies behind the end of a buffer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

from .events import Events
from .objects import Objects


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Numbers:
    """An array of a block of events.

    Attributes
    ----------
    values
        One number per event or object.
    valid
        bool, of the same length: which of them are data; None when all are.
    """

    values: jax.Array
    valid: jax.Array | None

    @property
    def not_finite(self) -> jax.Array:
        """How many are NaN or infinite (int32 scalar); integers never are."""
        if not jnp.issubdtype(self.values.dtype, jnp.inexact):
            return jnp.zeros((), jnp.int32)
        bad = ~jnp.isfinite(self.values)
        return jnp.sum(bad if self.valid is None else bad & self.valid, dtype=jnp.int32)


def event_numbers(events: Events) -> dict[str, Numbers]:
    """Return the numbers of a block of events by name: ``Jet.pt``, ``MET.pt``, ``ht``, ``probability``.

    Parameters
    ----------
    events
        At any point of an analysis.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Events
    >>> from hepgrad.analysis.event_numbers import event_numbers
    >>> columns = rg.RecordArray({"Jet": rg.from_lists([[{"pt": 50.0}], []]), "ht": jnp.array([50.0, jnp.nan])})
    >>> for name, numbers in event_numbers(Events.of(columns, jnp.ones(2))).items():
    ...     print(name, numbers.values, numbers.not_finite)
    Jet.pt [50.] 0
    probability of Jet [1.] 0
    ht [50. nan] 1
    weight [1. 1.] 0
    probability [1. 1.] 0
    """
    named = dict(pair for name, column in events.columns.items() for pair in _of_column(name, column, None))
    per_event = {"weight": events.weight, "probability": events.probability}
    per_event |= {f"probability of the region {name}": p for name, p in events.regions.items()}
    return named | {name: Numbers(values, None) for name, values in per_event.items()}


def _of_column(name: str, column: Any, valid: jax.Array | None) -> Iterator[tuple[str, Numbers]]:
    if isinstance(column, Objects):
        yield from _of_column(name, column.array, valid)
        yield from _of_column(f"probability of {name}", column.probability, valid)
    elif isinstance(column, rg.RaggedArray):
        yield from _of_column(name, column.content, column.valid)
    elif isinstance(column, rg.RecordArray):
        for field, values in column.columns.items():
            yield from _of_column(f"{name}.{field}", values, valid)
    else:
        yield name, Numbers(column, valid)
