"""Runs of equal items: `run_lengths`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..array import RaggedArray
from ..probability.rowwise import on_rows
from ..slicing.ragged_indices import by_ragged
from ..slicing.within_rows import as_lists
from .lists import flatten, num, unflatten


def run_lengths(array: Any) -> Any:
    """Return how many equal items follow each other, run by run, in each of the innermost lists.

    With `unflatten` it groups sorted items. NaN equals nothing, so that each is a run of its own.

    Parameters
    ----------
    array
        Ragged or flat array of numbers.

    Returns
    -------
    RaggedArray or flat array
        Integers, as many in each list as there are runs.

    Raises
    ------
    TypeError
        When the items are records.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.run_lengths(rg.from_lists([[1, 1, 2], [], [2, 2, 2]]))
    <RaggedArray [[2, 1], [], [3]] type='3 * var * int32'>
    """
    array = as_lists(array)
    if not isinstance(array, RaggedArray) and hasattr(array, "ndim"):
        return flatten(run_lengths(unflatten(array, num(array, axis=0)[None])))
    return on_rows(_lengths, array, "run_lengths")


def _lengths(rows: RaggedArray) -> RaggedArray:
    items = jnp.asarray(rows.content)
    places = jnp.arange(rows.capacity, dtype=jnp.int32)
    begins = _begins(items, rows.positions)
    runs = by_ragged(rows.with_content(places), rows.with_content(begins))
    starts = jnp.asarray(runs.content)
    # a run ends where the next begins, whichever row that is in
    ends = jnp.where(jnp.arange(runs.capacity) + 1 < runs.size, jnp.append(starts[1:], 0), rows.size)
    return runs.with_content(ends - starts)


def _begins(items: jax.Array, positions: jax.Array) -> jax.Array:
    if items.shape[0] == 0:
        return jnp.zeros(0, bool)
    changes = jnp.concatenate([jnp.ones(1, bool), items[1:] != items[:-1]])
    return changes | (positions == 0)
