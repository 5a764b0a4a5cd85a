"""Which items a reduction along an axis brings together, and the structure of its result.

`by_axis` finds, for any nesting depth and axis, the numbers at the bottom and the group of each. Reducers work on these
flat arrays, and the result goes back into the structure that remains.

Along the innermost axis the groups are the rows. Along another axis, the lists of one group are laid on top of each
other, position by position: item ``p`` of every list goes to item ``p`` of the merged list, which is as long as the
longest of them; and so on further down.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ..array import Content, RaggedArray, RecordArray, content_of, row_ids_from_offsets, with_length
from ..flat import FlatArray
from ..resize import settle
from ..rows import Rows, rows_of
from ..running import starts_from_counts
from ..tracing import concrete
from .groups import Groups, Whole, groups_of
from .segments import bound, extreme_by_id, spread
from .sums import LONG

# groups, the numbers, and what puts the results (one for each group) into the remaining structure
Grouped: TypeAlias = "tuple[Groups | Whole, jax.Array, Callable[[jax.Array], Any]]"


def by_axis(x: Any, axis: int | None, *, keepdims: bool, operation: str, index: bool = False) -> Grouped:
    """Return the groups of a reduction, the numbers it works on, and a function that gives the result its structure.

    Axis 0 is the outermost, negative ones count from the innermost, None is everything. ``index`` tells whether
    positions along the axis will be asked for. Raises `TypeError` when the items are records, or the axis is not an
    integer, `ValueError` when the array has no such axis.
    """
    x = settle(x)
    depth = depth_of(x, operation=operation)
    rows = rows_of(x) if depth else Rows(1, None)
    x = content_of(x)
    if axis is None:
        values, valid = _numbers(x, rows.valid)
        whole = Whole(valid, values.shape[0])
        shape = (1,) * depth if keepdims else ()
        # eagerly a reshape takes time, even where it changes nothing
        return whole, values, lambda result: with_length(result.reshape(shape) if shape else result, None)
    axis = positive_axis(axis, depth, operation=operation)
    if axis == 0:
        return _top(x, rows, keepdims, index)
    groups, values, rebuild = _descend(x, axis, keepdims, index)
    single = keepdims and axis == 1 and rows.length is not None
    return (
        groups,
        values,
        lambda result: with_length(_real(rebuild(result), rows) if single else rebuild(result), rows.length),
    )


def depth_of(x: Any, *, operation: str) -> int:
    """Return the number of axes of an array of numbers.

    Raises `TypeError` when the items are records.
    """
    if isinstance(x, RaggedArray):
        return 1 + depth_of(x.content, operation=operation)
    if isinstance(x, RecordArray):
        raise TypeError(f"{operation}: works on numbers, not on records; pick one of the fields {x.fields}")
    return x.ndim if isinstance(x, FlatArray) else int(np.ndim(x))


def positive_axis(axis: int, depth: int, *, operation: str) -> int:
    """Return the axis counted from the outermost.

    Raises `TypeError` or `ValueError` when the axis is not an integer, or there is no such axis.
    """
    if not isinstance(axis, int | np.integer):
        raise TypeError(f"{operation}: axis must be an integer or None, not {axis!r}")
    if not -depth <= axis < depth:
        raise ValueError(f"{operation}: axis={axis} exceeds the depth of this array ({depth})")
    return int(axis) % depth


def with_numbers(x: Any, values: jax.Array) -> Any:
    """Return the structure of ``x`` with other numbers at the bottom.

    There are as many as in the buffer of ``x``.
    """
    if isinstance(x, RaggedArray):
        return x.with_content(with_numbers(x.content, values))
    # a regular dimension of one item, such as ``keepdims=True`` leaves, is one of the structure
    return with_length(values.reshape(np.shape(content_of(x))), x.length if isinstance(x, FlatArray) else None)


def _numbers(x: Content, valid: jax.Array | None) -> tuple[jax.Array, jax.Array | None]:
    if isinstance(x, RaggedArray):
        return _numbers(x.content, x.valid)
    assert not isinstance(x, RecordArray)
    x = jnp.asarray(x)
    if x.ndim > 1 and valid is not None:
        valid = jnp.broadcast_to(valid.reshape(valid.shape + (1,) * (x.ndim - 1)), x.shape).reshape(-1)
    return x if x.ndim == 1 else x.reshape(-1), valid


def _descend(x: Content, axis: int, keepdims: bool, index: bool) -> Grouped:
    """Go down to the list whose items the axis numbers; ``axis`` is 1 for the items of the rows of ``x``."""
    if not isinstance(x, RaggedArray):
        assert not isinstance(x, RecordArray)
        return _regular(x, axis, keepdims)
    if axis > 1:
        groups, values, rebuild = _descend(x.content, axis - 1, keepdims, index)
        return groups, values, lambda result: x.with_content(rebuild(result))
    if isinstance(x.content, RaggedArray):
        position = x.positions if index else None
        most = bound(x)
        crowd = Crowd(most, jnp.max(x.row_lengths, initial=0) if most is None or most > LONG else None)
        groups, values, rebuild = _merge(x.content, x.row_ids, x.rows, position, x.exact, crowd)
        return groups, values, lambda result: _keep(rebuild(result)) if keepdims else rebuild(result)
    assert not isinstance(x.content, RecordArray)
    return groups_of(x), x.content, _keep if keepdims else lambda result: result


def _regular(x: jax.Array, axis: int, keepdims: bool) -> Grouped:
    """Treat a regular dimension as rows of equal length."""
    x = jnp.moveaxis(x, axis, 1)
    items, length = x.shape[:2]
    ids = jnp.repeat(jnp.arange(items, dtype=jnp.int32), length)
    groups = Groups(ids, jnp.arange(items + 1, dtype=jnp.int32) * length, None, items, length, True)
    flat = x.reshape((items * length, *x.shape[2:]))
    return groups, flat, lambda result: jnp.expand_dims(result, axis) if keepdims else result


def _top(x: Content, rows: Rows, keepdims: bool, index: bool) -> Grouped:
    """Bring the outermost items together in one group."""
    items = rows.count
    ids = jnp.zeros(items, jnp.int32)
    if not isinstance(x, RaggedArray):
        assert not isinstance(x, RecordArray)
        if rows.valid is not None:
            ids = jnp.where(rows.valid, 0, 1)
        offsets = jnp.stack([jnp.zeros((), jnp.int32), jnp.asarray(rows.number, jnp.int32)])
        everything = Groups(ids, offsets, None, 1, items, rows.length is None)
        return everything, jnp.asarray(x), lambda result: with_length(result if keepdims else result[0], None)
    position = jnp.arange(items, dtype=jnp.int32) if index else None
    groups, values, rebuild = _merge(x, ids, 1, position, True, Crowd(items, None))
    return groups, values, lambda result: rebuild(result) if keepdims else _single(rebuild(result))


class Crowd(NamedTuple):
    """How many lists are laid on top of each other at most: a static bound, and what the running program knows."""

    longest: int | None
    traced: jax.Array | None


def _merge(x: RaggedArray, ids: jax.Array, num: int, position: jax.Array | None, exact: bool, crowd: Crowd) -> Grouped:
    """Lay the rows of ``x`` with the same id on top of each other."""
    longest = x.longest if x.max_length is None else x.max_length
    offsets = _merged_offsets(x.offsets, ids, num=num)
    known = concrete(offsets)
    if known is not None:
        capacity = int(known[-1])
        max_length: int | None = int(np.diff(known).max(initial=0))
    else:
        capacity = x.capacity if longest is None else min(x.capacity, num * longest)
        max_length = x.max_length
    merged = RaggedArray(
        offsets, row_ids_from_offsets(offsets, capacity), jnp.zeros(capacity), None, max_length, known is not None
    )
    target, position = _targets(x.offsets, x.row_ids, offsets, ids, position, num=num, capacity=capacity)
    exact = exact and x.exact
    if isinstance(x.content, RaggedArray):
        groups, values, rebuild = _merge(x.content, target, capacity, position, exact, crowd)
        return groups, values, lambda result: merged.with_content(rebuild(result))
    assert not isinstance(x.content, RecordArray)
    # each of the lists has at most one item in a group
    groups = Groups(target, None, position, capacity, crowd.longest, exact, crowd.traced)
    return groups, x.content, merged.with_content


@partial(jax.jit, static_argnames=("num",))
def _merged_offsets(offsets: jax.Array, ids: jax.Array, *, num: int) -> jax.Array:
    lengths = jnp.maximum(extreme_by_id(offsets[1:] - offsets[:-1], ids, num, largest=True), 0)
    return starts_from_counts(lengths)


@partial(jax.jit, static_argnames=("num", "capacity"))
def _targets(
    offsets: jax.Array,
    row_ids: jax.Array,
    merged: jax.Array,
    ids: jax.Array,
    position: jax.Array | None,
    *,
    num: int,
    capacity: int,
) -> tuple[jax.Array, jax.Array | None]:
    """Return for each item its place in the merged buffer, and the position of its row along the axis."""
    group = spread(ids, row_ids, fill=num)
    own = jnp.arange(row_ids.shape[0], dtype=jnp.int32) - spread(offsets, row_ids)
    target = jnp.where(group < num, spread(merged, group, ordered=False) + own, capacity)
    return target, None if position is None else spread(position, row_ids)


def _keep(result: Content) -> Content:
    """Put each item of the result into a list of its own."""
    if not isinstance(result, RaggedArray):
        return result[:, None]
    ones = jnp.arange(result.rows + 1, dtype=jnp.int32)
    return RaggedArray(ones, ones[:-1], result, None, 1, True)


def _real(lists: Content, rows: Rows) -> Content:
    """Empty the lists of one item that `_keep` has made of rows that are not real."""
    if not isinstance(lists, RaggedArray):
        return lists
    assert rows.valid is not None and rows.length is not None
    ids = jnp.where(rows.valid, lists.row_ids, rows.count)
    return RaggedArray(jnp.minimum(lists.offsets, rows.length), ids, lists.content, None, 1, False)


def _single(merged: RaggedArray) -> Any:
    """Return the only row of a merged array: its content, which inside ``jit`` may have unused room at the end."""
    return with_length(merged.content, None if merged.exact else merged.size)
