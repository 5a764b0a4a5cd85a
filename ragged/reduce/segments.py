"""Segment kernels: the sum, the largest and the smallest of the items that share an id.

`segment_sum` and its siblings reduce buffers laid out like the items of a ragged array; the functions ending in
``_by_id`` take explicit ids (``num`` and more for items to leave out), which need not be in order. All of them ignore
the unused end of a buffer: whatever it holds, values and derivatives are those of the data alone.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..array import RaggedArray
from .sums import add_in_turn, narrowed, sum_in_order, widened


def segment_sum(values: jax.Array, rows: RaggedArray) -> jax.Array:
    """Return the sum of each row's items; 0 for an empty row.

    Parameters
    ----------
    values
        Shape (capacity, ...), laid out like the items of ``rows``.
    rows
        The array that says which items form a row; its content is not looked at.

    Returns
    -------
    jax.Array
        Shape (rows, ...). Booleans and small integers are summed as JAX's default integer.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0], [], [3.0]])
    >>> rg.segment_sum(x.content, x)
    Array([3., 0., 3.], dtype=float32)
    """
    return sum_in_order(values, rows.row_ids, rows.offsets, bound(rows))


def segment_max(values: jax.Array, rows: RaggedArray) -> jax.Array:
    """Return the largest item of each row; -inf (or the smallest integer) for an empty row.

    NaN is passed over, as on Awkward's CPU backend; ties share the derivative equally, as in JAX.

    Parameters
    ----------
    values
        Shape (capacity, ...), laid out like the items of ``rows``.
    rows
        The array that says which items form a row.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0], [], [3.0]])
    >>> rg.segment_max(x.content, x)
    Array([  2., -inf,   3.], dtype=float32)
    """
    return extreme_by_id(values, rows.row_ids, rows.rows, largest=True, ordered=True)


def segment_min(values: jax.Array, rows: RaggedArray) -> jax.Array:
    """Return the smallest item of each row; inf (or the largest integer) for an empty row.

    NaN is passed over, as on Awkward's CPU backend; ties share the derivative equally, as in JAX.

    Parameters
    ----------
    values
        Shape (capacity, ...), laid out like the items of ``rows``.
    rows
        The array that says which items form a row.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0], [], [3.0]])
    >>> rg.segment_min(x.content, x)
    Array([ 1., inf,  3.], dtype=float32)
    """
    return extreme_by_id(values, rows.row_ids, rows.rows, largest=False, ordered=True)


def extreme_by_id(values: jax.Array, ids: jax.Array, num: int, *, largest: bool, ordered: bool = False) -> jax.Array:
    """Return the largest (or smallest) of the items with the same id; NaN is passed over; shape (num, ...).

    ``ordered`` tells whether the ids never decrease; the rest is as for `hepgrad.ragged.reduce.sums.sum_by_id`.
    """
    return _extreme(values, ids, num=num, largest=largest, ordered=ordered)


def bound(rows: RaggedArray) -> int | None:
    """Return a static bound on the length of a row, or None; the promised one first, as it costs nothing.

    Rounded up to a power of two: eager calls on rows of similar lengths share one compiled kernel.
    """
    longest = rows.longest if rows.max_length is None else rows.max_length
    return None if longest is None else 1 << max(int(longest) - 1, 0).bit_length()


def identity(dtype: Any, *, largest: bool) -> Any:
    """Return what the maximum (or minimum) of nothing is: -inf or the smallest number of the type.

    Raises `TypeError` for complex numbers, which have no order.
    """
    if jnp.issubdtype(dtype, jnp.floating):
        return -np.inf if largest else np.inf
    if jnp.issubdtype(dtype, jnp.integer):
        # with its type: the largest unsigned number is not one of JAX's default integers
        return np.array(np.iinfo(dtype).min if largest else np.iinfo(dtype).max, dtype)
    if jnp.issubdtype(dtype, jnp.bool_):
        return not largest
    raise TypeError(f"max and min need numbers that have an order, not {dtype}")


def spread(per_id: jax.Array, ids: jax.Array, *, fill: Any = 0, ordered: bool = True) -> jax.Array:
    """Return the value of each item's id, and ``fill`` for items that are left out; shape (items, ...).

    ``per_id`` has shape (num, ...), ``ids`` are int32, shape (items,); ``ordered`` tells whether they never decrease.
    """
    if per_id.shape[0] == 0:
        # nothing is left to take from, though the buffer of the items may have room
        return jnp.full((ids.shape[0], *per_id.shape[1:]), fill, per_id.dtype)
    # widened, since the derivative adds up
    wide = widened(per_id)
    items = wide.at[ids].get(mode="fill", fill_value=fill, indices_are_sorted=ordered, wrap_negative_indices=False)
    return narrowed(items, per_id.dtype)


def column(mask: jax.Array, like: jax.Array) -> jax.Array:
    """Return a mask of items reshaped so that it broadcasts against values with further dimensions.

    Shapes are (items,) and (items, ...).
    """
    return mask.reshape(mask.shape + (1,) * (like.ndim - 1))


@partial(jax.jit, static_argnames=("num", "largest", "ordered"))
def _extreme(values: jax.Array, ids: jax.Array, *, num: int, largest: bool, ordered: bool) -> jax.Array:
    if jnp.issubdtype(values.dtype, jnp.floating):
        return _extreme_float(values, ids, num, largest, ordered)
    return _extreme_value(values, ids, num, largest, ordered)


def _extreme_value(values: jax.Array, ids: jax.Array, num: int, largest: bool, ordered: bool) -> jax.Array:
    nothing = identity(values.dtype, largest=largest)
    start = jnp.full((num, *values.shape[1:]), nothing, values.dtype).at[ids]
    update = partial(
        start.max if largest else start.min, mode="drop", indices_are_sorted=ordered, wrap_negative_indices=False
    )
    result = update(values)
    if not jnp.issubdtype(values.dtype, jnp.floating):
        return result
    # NaN goes through to the result, where it is rare and quickly found
    return lax.cond(
        jnp.any(jnp.isnan(result)),
        lambda: update(jnp.where(jnp.isnan(values), nothing, values)),
        lambda: result,
    )


_extreme_float = jax.custom_jvp(_extreme_value, nondiff_argnums=(2, 3, 4))


def settled(values: jax.Array) -> jax.Array:
    """Return floating-point values in a buffer of their own, so that every use of them sees the same bits.

    XLA may compute values again in each loop that uses them, and round them otherwise there. Then none of them need be
    equal to the largest one. Only the result of a condition that the compiler cannot foresee is computed once. Two
    equal branches would be no condition: hence NaN for NaN in one of them.
    """
    if values.size == 0 or not jnp.issubdtype(values.dtype, jnp.floating):
        return values
    return lax.cond(jnp.isnan(values.ravel()[0]), lambda x: jnp.where(jnp.isnan(x), jnp.nan, x), lambda x: x, values)


@_extreme_float.defjvp
def _extreme_jvp(num: int, largest: bool, ordered: bool, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    values, ids = primals
    values = settled(values)
    result = _extreme_float(values, ids, num, largest, ordered)
    is_extreme = values == spread(result, ids, fill=np.nan, ordered=ordered)
    ties = add_in_turn(widened(is_extreme.astype(values.dtype)), ids, num, ordered=ordered)
    tangent = add_in_turn(widened(jnp.where(is_extreme, tangents[0], 0)), ids, num, ordered=ordered)
    return result, narrowed(tangent / jnp.maximum(ties, 1), values.dtype)
