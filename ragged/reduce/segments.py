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

# float32 sums of at most this many items one after the other keep 5e-6 relative accuracy; longer ones go by blocks
LONG = 1 << 15
BLOCK = 1 << 12


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


def sum_in_order(values: jax.Array, ids: jax.Array, offsets: jax.Array, longest: int | None) -> jax.Array:
    """Return the sums of the items with the same id, which lie next to each other, in order; shape (num, ...).

    Parameters
    ----------
    values
        Shape (items, ...).
    ids
        int32, shape (items,); ``num`` for items to leave out.
    offsets
        int32, shape (num + 1,): where the items of each id begin.
    longest
        At most so many items share an id (static); None when unknown.
    """
    wanted = offsets if _by_blocks(values, longest) else None
    return _sum(values, ids, wanted, num=offsets.shape[0] - 1, known=longest is not None)


def sum_by_id(values: jax.Array, ids: jax.Array, num: int) -> jax.Array:
    """Return the sums of the items with the same id, in any order; shape (num, ...).

    Parameters
    ----------
    values
        Shape (items, ...).
    ids
        int32, shape (items,); items with ids from ``num`` on are left out.
    num
        The number of sums (static).
    """
    return _sum_unordered(values, ids, num=num)


def extreme_by_id(values: jax.Array, ids: jax.Array, num: int, *, largest: bool, ordered: bool = False) -> jax.Array:
    """Return the largest (or smallest) of the items with the same id; NaN is passed over; shape (num, ...).

    Parameters
    ----------
    values, ids, num
        As for `sum_by_id`.
    largest
        The largest, or the smallest.
    ordered
        Whether the ids never decrease.
    """
    return _extreme(values, ids, num=num, largest=largest, ordered=ordered)


def bound(rows: RaggedArray) -> int | None:
    """Return a static bound on the length of a row, or None; the promised one first, as it costs nothing.

    Rounded up to a power of two: eager calls on rows of similar lengths share one compiled kernel.

    Parameters
    ----------
    rows
        Any ragged array.
    """
    longest = rows.longest if rows.max_length is None else rows.max_length
    return None if longest is None else 1 << max(longest - 1, 0).bit_length()


def sum_dtype(dtype: Any) -> Any:
    """Return the type of a sum or product: JAX's default integer for booleans and smaller integers.

    Parameters
    ----------
    dtype
        The type of the items.
    """
    kind = np.dtype(dtype).kind
    wide = {"b": np.int64, "i": np.int64, "u": np.uint64}.get(kind)
    return dtype if wide is None else jax.dtypes.canonicalize_dtype(wide)


def identity(dtype: Any, *, largest: bool) -> Any:
    """Return what the maximum (or minimum) of nothing is: -inf or the smallest number of the type.

    Parameters
    ----------
    dtype
        The type of the items.
    largest
        For the maximum, or for the minimum.

    Raises
    ------
    TypeError
        For complex numbers, which have no order.
    """
    if jnp.issubdtype(dtype, jnp.floating):
        return -np.inf if largest else np.inf
    if jnp.issubdtype(dtype, jnp.integer):
        return np.iinfo(dtype).min if largest else np.iinfo(dtype).max
    if jnp.issubdtype(dtype, jnp.bool_):
        return not largest
    raise TypeError(f"max and min need numbers that have an order, not {dtype}")


def spread(per_id: jax.Array, ids: jax.Array, *, fill: Any = 0, ordered: bool = True) -> jax.Array:
    """Return the value of each item's id, and ``fill`` for items that are left out; shape (items, ...).

    Parameters
    ----------
    per_id
        Shape (num, ...).
    ids
        int32, shape (items,).
    fill
        The value for ids from ``num`` on.
    ordered
        Whether the ids never decrease.
    """
    return per_id.at[ids].get(mode="fill", fill_value=fill, indices_are_sorted=ordered, wrap_negative_indices=False)


def column(mask: jax.Array, like: jax.Array) -> jax.Array:
    """Return a mask of items reshaped so that it broadcasts against values with further dimensions.

    Parameters
    ----------
    mask
        Shape (items,).
    like
        Shape (items, ...).
    """
    return mask.reshape(mask.shape + (1,) * (like.ndim - 1))


def _by_blocks(values: jax.Array, longest: int | None) -> bool:
    if values.dtype not in (jnp.float32, jnp.complex64) or values.shape[0] <= LONG:
        return False
    return longest is None or longest > LONG


@partial(jax.jit, static_argnames=("num", "known"))
def _sum(values: jax.Array, ids: jax.Array, offsets: jax.Array | None, *, num: int, known: bool) -> jax.Array:
    if offsets is None:
        return add_in_turn(values, ids, num)
    if known:
        return _add_by_blocks(values, ids, offsets, num)
    # long rows are rare: look before paying for the second level
    long = jnp.max(offsets[1:] - offsets[:-1], initial=0) > LONG
    return lax.cond(
        long,
        lambda values: _add_by_blocks(values, ids, offsets, num),
        lambda values: add_in_turn(values, ids, num),
        values,
    )


def add_in_turn(values: jax.Array, ids: jax.Array, num: int, *, ordered: bool = True) -> jax.Array:
    """Return the sums of the items with the same id, added one after the other; shape (num, ...).

    Parameters
    ----------
    values, ids, num
        As for `sum_by_id`.
    ordered
        Whether the ids never decrease.
    """
    # one sum more for what is left out, so that neither the sum nor its derivative looks whether an id is in range
    zeros = jnp.zeros((num + 1, *values.shape[1:]), sum_dtype(values.dtype))
    ids = ids if ordered else jnp.minimum(ids, num)  # those of rows are never larger
    sums = zeros.at[ids].add(
        values.astype(zeros.dtype), mode="promise_in_bounds", indices_are_sorted=ordered, wrap_negative_indices=False
    )
    return sums[:num]


def _add_by_blocks(values: jax.Array, ids: jax.Array, offsets: jax.Array, num: int) -> jax.Array:
    """Add up pieces of rows within blocks of items first, then the pieces of each row.

    Item ``i`` belongs to piece ``ids[i] + i // BLOCK``, which never decreases and differs for every (row, block).
    """
    items = values.shape[0]
    pieces = num + items // BLOCK + 1
    piece = ids + jnp.arange(items, dtype=jnp.int32) // BLOCK
    # the unused end of the buffer is no piece at all
    partial_sums = add_in_turn(values, jnp.where(ids < num, piece, pieces), pieces)
    first = jnp.arange(num, dtype=jnp.int32) + offsets[:-1] // BLOCK
    starts = jnp.zeros(pieces, jnp.int32).at[first].add(1, indices_are_sorted=True, unique_indices=True, mode="drop")
    return add_in_turn(partial_sums, jnp.cumsum(starts, dtype=jnp.int32) - 1, num)


@partial(jax.jit, static_argnames=("num",))
def _sum_unordered(values: jax.Array, ids: jax.Array, *, num: int) -> jax.Array:
    items = values.shape[0]
    blocks = min(items // BLOCK, items // max(num, 1))
    if blocks < 2 or not _by_blocks(values, None):
        return add_in_turn(values, ids, num, ordered=False)
    block = jnp.arange(items, dtype=jnp.int32) // -(-items // blocks)
    pieces = add_in_turn(values, jnp.where(ids < num, block * num + ids, blocks * num), blocks * num, ordered=False)
    return pieces.reshape((blocks, num, *values.shape[1:])).sum(axis=0)


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

    Parameters
    ----------
    values
        Any shape and type.
    """
    if values.size == 0 or not jnp.issubdtype(values.dtype, jnp.floating):
        return values
    return lax.cond(jnp.isnan(values.ravel()[0]), lambda x: jnp.where(jnp.isnan(x), jnp.nan, x), lambda x: x, values)


@_extreme_float.defjvp
def _extreme_jvp(num: int, largest: bool, ordered: bool, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    values, ids = primals
    values = settled(values)
    result = _extreme_float(values, ids, num, largest, ordered)
    chosen = values == spread(result, ids, fill=np.nan, ordered=ordered)
    ties = add_in_turn(chosen.astype(values.dtype), ids, num, ordered=ordered)
    tangent = add_in_turn(jnp.where(chosen, tangents[0], 0), ids, num, ordered=ordered)
    return result, tangent / jnp.maximum(ties, 1)
