"""All pairs of an item of one array with an item of the same row of another, as lists: one for each first item."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..array import RaggedArray
from ..errors import StructureError
from ..reduce.segments import spread
from ..slicing.gather import rows_from_counts


def row_pairs(x: RaggedArray, y: RaggedArray, *, capacity: int | None, operation: str) -> RaggedArray:
    """Return for every item of ``x`` the list of the items of the same row of ``y``, by their position in the buffer.

    By default there is room for exactly as many pairs as there are; inside ``jit`` for the most that the arrays'
    ``max_length`` and capacities allow. The result is int32, with as many lists as ``x`` has room for items. Raises
    `StructureError` when the numbers of rows differ, `CapacityError` when the pairs do not fit, `TypeError` inside
    ``jit`` without ``capacity``, when no array has ``max_length``.
    """
    if x.rows != y.rows:
        raise StructureError(f"{operation}: cannot pair {x.rows} rows with {y.rows}")
    bounds = []
    if y.max_length is not None:
        bounds.append(x.capacity * y.max_length)
    if x.max_length is not None:
        bounds.append(x.max_length * y.capacity)
    room = min(bounds, default=None) if capacity is None else capacity
    pairs = rows_from_counts(
        spread(y.row_lengths, x.row_ids),
        capacity=room,
        max_length=y.max_length,
        certain=capacity is None and room is not None,
        operation=operation,
    )
    return pairs.with_content(_positions(pairs, x.row_ids, y.offsets))


@jax.jit
def _positions(pairs: RaggedArray, row_ids: jax.Array, offsets: jax.Array) -> jax.Array:
    first_of_row = spread(offsets, row_ids)
    return jnp.asarray(pairs.content) + spread(first_of_row, pairs.row_ids)
