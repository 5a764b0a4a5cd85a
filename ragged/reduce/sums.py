"""Sums of the items that share an id, as accurate for ten million items as for ten.

Adding one item after the other loses a little with each: after ``n`` equal float32 numbers, up to ``n * 6e-8`` of the
sum. So sums of many are added up in blocks, the sums of the blocks in blocks again, and so on, and 16-bit numbers are
added up as float32. What comes out has the type that went in.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..running import running_total, starts_from_counts

# one after the other, so many equal float32 numbers keep a relative accuracy of 5e-6
LONG = 1 << 8
# with blocks of this length, ten million keep it too
BLOCK = 1 << 6


def sum_dtype(dtype: Any) -> Any:
    """Return the type of a sum or product: JAX's default integer for booleans and smaller integers."""
    kind = np.dtype(dtype).kind
    wide = {"b": np.int64, "i": np.int64, "u": np.uint64}.get(kind)
    return dtype if wide is None else jax.dtypes.canonicalize_dtype(wide)


def widened(x: jax.Array) -> jax.Array:
    """Return 16-bit floating-point numbers as float32, in which they can be added up; anything else as it is."""
    return x.astype(jnp.float32) if _is_half(x.dtype) else x


def narrowed(result: jax.Array, dtype: Any) -> jax.Array:
    """Return a float32 result in the 16-bit type that the items had before `widened`, anything else as it is."""
    return result.astype(dtype) if _is_half(dtype) and result.dtype == jnp.float32 else result


def as_float(x: jax.Array) -> jax.Array:
    """Return integers and booleans as JAX's default floating-point numbers, anything else as it is."""
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.result_type(float))


def _is_half(dtype: Any) -> bool:
    return bool(jnp.issubdtype(dtype, jnp.floating)) and jnp.dtype(dtype).itemsize < 4


def sum_in_order(values: jax.Array, ids: jax.Array, offsets: jax.Array, longest: int | None) -> jax.Array:
    """Return the sums of the items with the same id, which lie next to each other, in order; shape (num, ...).

    ``values`` have shape (items, ...); ``ids`` are int32, shape (items,), ``num`` for items to leave out; ``offsets``
    (int32, shape (num + 1,)) tell where the items of each id begin. At most ``longest`` items share an id (static; None
    when unknown).
    """
    if not _may_be_long(values, longest):
        return _sum_short(values, ids, num=offsets.shape[0] - 1)
    return _sum_long(values, ids, offsets, longest=longest)


def _may_be_long(values: jax.Array, longest: int | None) -> bool:
    """Return whether one after the other would not be accurate enough, as far as is known while tracing."""
    if widened(values).dtype not in (jnp.float32, jnp.complex64) or values.shape[0] <= LONG:
        return False
    return longest is None or longest > LONG


@partial(jax.jit, static_argnames=("num",))
def _sum_short(values: jax.Array, ids: jax.Array, *, num: int) -> jax.Array:
    return narrowed(add_in_turn(widened(values), ids, num), values.dtype)


@partial(jax.jit, static_argnames=("longest",))
def _sum_long(values: jax.Array, ids: jax.Array, offsets: jax.Array, *, longest: int | None) -> jax.Array:
    wide = widened(values)
    if longest is not None:
        return narrowed(_add_by_blocks(wide, ids, offsets, longest), values.dtype)
    # long rows are rare: look before paying for the further levels
    long = jnp.max(offsets[1:] - offsets[:-1], initial=0) > LONG
    result = lax.cond(
        long,
        lambda wide: _add_by_blocks(wide, ids, offsets, values.shape[0]),
        lambda wide: add_in_turn(wide, ids, offsets.shape[0] - 1),
        wide,
    )
    return narrowed(result, values.dtype)


def add_in_turn(values: jax.Array, ids: jax.Array, num: int, *, ordered: bool = True) -> jax.Array:
    """Return the sums of the items with the same id, added one after the other; shape (num, ...).

    ``ordered`` tells whether the ids never decrease; the rest is as for `sum_by_id`.
    """
    # one sum more for what is left out, so that neither the sum nor its derivative looks whether an id is in range
    zeros = jnp.zeros((num + 1, *values.shape[1:]), sum_dtype(values.dtype))
    ids = ids if ordered else jnp.minimum(ids, num)  # those of rows are never larger
    sums = zeros.at[ids].add(
        values.astype(zeros.dtype), mode="promise_in_bounds", indices_are_sorted=ordered, wrap_negative_indices=False
    )
    return sums[:num]


def _add_by_blocks(values: jax.Array, ids: jax.Array, offsets: jax.Array, longest: int) -> jax.Array:
    """Add up the pieces that blocks cut the rows into, then the pieces of each row in the same way."""
    num = offsets.shape[0] - 1
    if longest <= LONG:
        return add_in_turn(values, ids, num)
    piece, rows_of_pieces, ends_of_pieces = _pieces(ids, offsets)
    # the unused end of the buffer is no piece at all
    sums = add_in_turn(values, piece, rows_of_pieces.shape[0])
    return _add_by_blocks(sums, rows_of_pieces, ends_of_pieces, longest // BLOCK + 2)


def _pieces(ids: jax.Array, offsets: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the piece of each item, the row of each piece, and where the pieces of each row begin.

    Item ``i`` belongs to piece ``ids[i] + i // BLOCK``, which never decreases and differs for every (row, block).
    """
    items, num = ids.shape[0], offsets.shape[0] - 1
    pieces = num + items // BLOCK + 1
    piece = jnp.where(ids < num, ids + lax.iota(jnp.int32, items) // BLOCK, pieces)
    begins = lax.iota(jnp.int32, num + 1) + offsets // BLOCK
    starts = jnp.zeros(pieces, jnp.int32).at[begins[1:]].add(1, indices_are_sorted=True, mode="drop")
    return piece, running_total(starts), begins


def sum_by_id(
    values: jax.Array, ids: jax.Array, num: int, *, longest: int | None = None, crowd: jax.Array | None = None
) -> jax.Array:
    """Return the sums of the items with the same id, in any order; shape (num, ...).

    ``values`` have shape (items, ...); ``ids`` are int32, shape (items,), and items with ids from ``num`` (static) on
    are left out. At most ``longest`` items share an id (static; None when unknown); ``crowd`` (int32 scalar) is the
    same bound when only the running program knows it, None to count.
    """
    return _sum_unordered(values, ids, crowd, num=num, longest=longest)


@partial(jax.jit, static_argnames=("num", "longest"))
def _sum_unordered(
    values: jax.Array, ids: jax.Array, crowd: jax.Array | None, *, num: int, longest: int | None
) -> jax.Array:
    wide = widened(values)
    if not _may_be_long(values, longest):
        result = add_in_turn(wide, ids, num, ordered=False)
    elif num <= LONG:
        result = _add_in_columns(wide, ids, num)
    else:
        counts = add_in_turn(jnp.ones(ids.shape, jnp.int32), ids, num, ordered=False) if crowd is None else crowd
        result = lax.cond(
            jnp.max(counts, initial=0) > LONG,
            lambda wide: _add_sorted(wide, ids, num),
            lambda wide: add_in_turn(wide, ids, num, ordered=False),
            wide,
        )
    return narrowed(result, values.dtype)


def _add_in_columns(values: jax.Array, ids: jax.Array, num: int) -> jax.Array:
    """Add up blocks of items into as many columns of a few sums, and the columns as XLA does it, which is accurate."""
    items = values.shape[0]
    blocks = -(-items // LONG)
    block = lax.iota(jnp.int32, items) // LONG
    sums = add_in_turn(values, jnp.where(ids < num, block * num + ids, blocks * num), blocks * num, ordered=False)
    return sums.reshape((blocks, num, *values.shape[1:])).sum(axis=0)


def _add_sorted(values: jax.Array, ids: jax.Array, num: int) -> jax.Array:
    ids = jnp.minimum(ids, num)
    counts = add_in_turn(jnp.ones(ids.shape, jnp.int32), ids, num, ordered=False)
    offsets = starts_from_counts(counts)
    order = jnp.argsort(ids, stable=True)
    return _add_by_blocks(values[order], ids[order], offsets, values.shape[0])


def spread_to_items(
    per_row: jax.Array, ids: jax.Array, offsets: jax.Array, longest: int | None, *, in_bounds: bool
) -> jax.Array:
    """Return the value of its row for each item; shape (items, ...).

    The derivative adds up what arrives at the items of a row, by blocks where rows are known to be long. ``per_row``
    has shape (num, ...). ``in_bounds`` tells that there are no items to leave out, which get the value of the last row.
    The rest is as for `sum_in_order`.
    """
    wide = widened(per_row)
    if longest is not None and longest > LONG and wide.dtype in (jnp.float32, jnp.complex64):
        piece, rows_of_pieces, begins = _pieces(ids, offsets)
        per_piece = spread_to_items(wide, rows_of_pieces, begins, longest // BLOCK + 2, in_bounds=False)
        result = _at(per_piece, piece, in_bounds=in_bounds)
    else:
        result = _at(wide, ids, in_bounds=in_bounds)
    return narrowed(result, per_row.dtype)


def _at(values: jax.Array, index: jax.Array, *, in_bounds: bool) -> jax.Array:
    mode = "promise_in_bounds" if in_bounds else "clip"
    return values.at[index].get(mode=mode, indices_are_sorted=True, wrap_negative_indices=False)
