"""Sorting inside the rows.

The order is found by counting, for every item, the items of its row that come before it. All the comparisons at one
distance are a single vectorised pass over the buffer, so rows of a few items sort far faster than by a two-key sort of
the whole buffer. Only the order is computed that way: the values follow by a gather, whose derivative is the
permutation, ties included.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..array import Content, RaggedArray, RecordArray, content_of, with_length
from ..errors import StructureError
from ..flat import FlatArray
from ..reduce.axis import with_numbers
from ..resize import settle
from ..rows import rows_of
from ..running import running_total
from ..tracing import concrete

# Rows longer than this are sorted with the whole buffer, in a time that does not depend on their length.
LONG_ROW = 1024
# Up to so many items at the same place of all rows are found by walking along the rows, else by a sort.
FEW_COLUMNS = 64
# Distances compared in one fused pass: fewer make short rows wasteful, more make the program long.
DISTANCES = 8
# XLA's loops on a CPU run up to eight times as fast over a length that divides among threads and vector lanes.
EVEN = 64


def sort(x: Any, axis: int = -1, ascending: bool = True) -> Any:
    """Return the items in ascending or descending order; ``NaN`` comes first either way, as in Awkward.

    Records are sorted field by field, as in Awkward; to sort them by one field use ``x[rg.argsort(x.pt)]``.

    Parameters
    ----------
    x
        Numbers, lists of them to any depth, or records of those.
    axis
        The innermost lists by default. Along an outer axis the items at the same place of the inner lists are sorted
        among themselves; that takes a sort of the whole buffer.
    ascending
        False for the largest first.

    Returns
    -------
    RaggedArray, RecordArray or jax.Array
        Of the structure and dtype of ``x``.

    Raises
    ------
    StructureError
        When there is no such axis.
    TypeError
        For complex numbers.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[2.0, 3.0, 1.0], [], [4.0, 5.0]])
    >>> rg.to_list(rg.sort(x, ascending=False))
    [[3.0, 2.0, 1.0], [], [5.0, 4.0]]
    """
    return _by_axis(x, axis, ascending, "sort")


def argsort(x: Any, axis: int = -1, ascending: bool = True, stable: bool = True) -> Any:
    """Return the positions that sort each row: ``x[rg.argsort(x)]`` is ``rg.sort(x)``.

    Parameters
    ----------
    x, axis, ascending
        As for `sort`. Along an outer axis the result holds the position along that axis.
    stable
        Equal items keep their order. Always so here; the argument is there because Awkward has it.

    Returns
    -------
    RaggedArray or jax.Array
        int32, of the structure of ``x``.

    Raises
    ------
    StructureError
        When there is no such axis.
    TypeError
        For complex numbers.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> pt = rg.from_lists([[20.0, 45.0, 30.0], [], [25.0]])
    >>> rg.to_list(rg.argsort(pt, ascending=False))
    [[1, 2, 0], [], [0]]
    """
    return _by_axis(x, axis, ascending, "argsort")


def _depth(x: Content) -> int:
    return 1 + _depth(x.content) if isinstance(x, RaggedArray) else 1


def _by_axis(x: Any, axis: int, ascending: bool, operation: str) -> Any:
    """Sort fields one by one, and the innermost lists or an outer axis by the kernel made for it."""
    x = settle(x)
    if isinstance(x, RecordArray):
        columns = {name: with_length(column, x.length) for name, column in x.columns.items()}
        columns = {name: _by_axis(column, axis, ascending, operation) for name, column in columns.items()}
        return RecordArray({name: content_of(column) for name, column in columns.items()}, x.length)
    if isinstance(x, RaggedArray) and x.fields:
        # one list of records for all fields, as deep as it was
        columns = {name: _by_axis(getattr(x, name), axis, ascending, operation) for name in x.fields}
        return _zip_into(x, columns)
    if not isinstance(x, RaggedArray) and np.ndim(content_of(x)) == 2 and axis in (-1, 1):
        return _regular(content_of(x), x.length if isinstance(x, FlatArray) else None, ascending, operation)
    depth = _depth(x)
    if isinstance(x, RaggedArray) and np.ndim(_items(x)) == 2 and axis in (-1, depth):
        return with_numbers(x, _regular_items(_items(x), ascending, operation))
    level = axis + depth if axis < 0 else axis
    if not 0 <= level < depth:
        raise StructureError(f"{operation}: axis={axis} does not exist in an array of {depth} dimensions")
    if level == depth - 1:
        return _innermost(x, ascending, operation)
    return _outer(x, level, ascending, operation)


def _zip_into(x: RaggedArray, columns: dict[str, Any]) -> RaggedArray:
    """Put columns of the structure of ``x`` back into one array of records."""
    contents = {name: column.content for name, column in columns.items()}
    if isinstance(x.content, RecordArray):
        return x.with_content(RecordArray(contents))
    assert isinstance(x.content, RaggedArray)
    return x.with_content(_zip_into(x.content, contents))


def _innermost(x: Any, ascending: bool, operation: str) -> Any:
    if isinstance(x, RaggedArray) and isinstance(x.content, RaggedArray):
        return x.with_content(_innermost(x.content, ascending, operation))
    items = _leaf(x.content if isinstance(x, RaggedArray) else content_of(x), operation)
    if not isinstance(x, RaggedArray):
        rows = rows_of(x)
        order = _flat_order(_key(items, ascending), rows.valid)
        return with_length(order if operation == "argsort" else items[order], rows.length)
    longest = x.longest
    long_rows = None if longest is None else longest > LONG_ROW
    if long_rows and concrete(x.offsets) is None:
        # a promise above the limit says nothing of the rows that are there
        long_rows = None
    kernel = _argsorted_rows if operation == "argsort" else _sorted_rows
    return x.with_content(kernel(items, x.offsets, x.row_ids, exact=x.exact, long_rows=long_rows, ascending=ascending))


def _regular(items: jax.Array, length: jax.Array | None, ascending: bool, operation: str) -> Any:
    """Sort along a regular dimension, each row for itself."""
    return with_length(_regular_items(items, ascending, operation), length)


def _regular_items(items: jax.Array, ascending: bool, operation: str) -> jax.Array:
    order = jnp.argsort(_key(items, ascending), axis=1, stable=True).astype(jnp.int32)
    return order if operation == "argsort" else jnp.take_along_axis(items, order, axis=1)


def _items(x: Content) -> Any:
    """Return the items of the innermost lists."""
    return _items(x.content) if isinstance(x, RaggedArray) else x


def _flat_order(key: jax.Array, valid: jax.Array | None) -> jax.Array:
    if valid is None:
        return jnp.argsort(key, stable=True).astype(jnp.int32)
    return lax.sort((~valid, key, lax.iota(jnp.int32, key.shape[0])), num_keys=2, is_stable=True)[2]


def _leaf(items: Any, operation: str) -> jax.Array:
    items = jnp.asarray(items)
    if items.ndim != 1:
        raise StructureError(f"{operation}: items with a regular dimension, here {items.shape[1:]}, cannot be sorted")
    if jnp.iscomplexobj(items):
        raise TypeError(f"{operation}: complex numbers have no order; sort by their abs() or real part")
    return items


def _key(x: jax.Array, ascending: bool) -> jax.Array:
    """Return integers of the wanted order, the least for NaN and equal ones for the two zeros."""
    x = lax.stop_gradient(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        key = x.astype(jnp.int32) if x.dtype == bool else x
        return key if ascending else ~key
    integer = jnp.dtype(f"int{8 * x.dtype.itemsize}")
    bits = lax.bitcast_convert_type(jnp.where(x == 0, jnp.zeros_like(x), x), integer)
    limits = np.iinfo(integer)
    # the bits of a negative float ascend with its magnitude
    key = jnp.where(bits < 0, bits ^ limits.max, bits)
    return jnp.where(jnp.isnan(x), limits.min, key if ascending else ~key)


@partial(jax.jit, static_argnames=("exact", "long_rows", "ascending"))
def _sorted_rows(
    items: jax.Array, offsets: jax.Array, row_ids: jax.Array, *, exact: bool, long_rows: bool | None, ascending: bool
) -> jax.Array:
    order = _order(_key(items, ascending), offsets, row_ids, exact=exact, long_rows=long_rows)
    return items.at[order].get(mode="promise_in_bounds", unique_indices=True, wrap_negative_indices=False)


@partial(jax.jit, static_argnames=("exact", "long_rows", "ascending"))
def _argsorted_rows(
    items: jax.Array, offsets: jax.Array, row_ids: jax.Array, *, exact: bool, long_rows: bool | None, ascending: bool
) -> jax.Array:
    order = _order(_key(items, ascending), offsets, row_ids, exact=exact, long_rows=long_rows)
    starts = offsets.at[row_ids].get(mode="clip", indices_are_sorted=True, wrap_negative_indices=False)
    return order - starts


def _order(key: jax.Array, offsets: jax.Array, row_ids: jax.Array, *, exact: bool, long_rows: bool | None) -> jax.Array:
    """Return the permutation of the buffer that sorts every row by the key, stably.

    The key is integers, shape (capacity,). ``exact`` tells whether all of the buffer is known to be data, ``long_rows``
    whether there are rows longer than `LONG_ROW` (None when only the running program knows).
    """
    if key.shape[0] == 0:
        return jnp.zeros(0, jnp.int32)
    if long_rows is True:
        return _order_by_sort(key, row_ids)
    if long_rows is False:
        return _order_by_count(key, offsets, row_ids, exact)
    longest = jnp.max(jnp.diff(offsets), initial=0)
    return lax.cond(
        longest > LONG_ROW,
        lambda: _order_by_sort(key, row_ids),
        lambda: _order_by_count(key, offsets, row_ids, exact),
    )


def _order_by_sort(key: jax.Array, row_ids: jax.Array) -> jax.Array:
    return lax.sort((row_ids, key, lax.iota(jnp.int32, key.shape[0])), num_keys=2, is_stable=True)[2]


def _order_by_count(key: jax.Array, offsets: jax.Array, row_ids: jax.Array, exact: bool) -> jax.Array:
    capacity = key.shape[0]
    item = lax.iota(jnp.int32, capacity)
    starts = offsets.at[row_ids].get(mode="clip", indices_are_sorted=True, wrap_negative_indices=False)
    ends = offsets.at[row_ids + 1].get(mode="clip", indices_are_sorted=True, wrap_negative_indices=False)
    longest = jnp.max(jnp.diff(offsets), initial=0)
    extra = -capacity % EVEN
    before, after, compared = (jnp.pad(part, (0, extra)) for part in (item - starts, ends - item - 1, key))

    # slices that begin elsewhere each time, of a buffer that reaches further than any row does
    reach = LONG_ROW + DISTANCES
    padded = jnp.pad(compared, reach)

    def more(state: tuple[jax.Array, jax.Array]) -> jax.Array:
        return state[0] + 1 < longest

    def compare(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        done, rank = state
        for step in range(1, DISTANCES + 1):
            distance = done + step
            right = lax.dynamic_slice_in_dim(padded, reach + distance, capacity + extra)
            left = lax.dynamic_slice_in_dim(padded, reach - distance, capacity + extra)
            rank += ((right < compared) & (distance <= after)).astype(jnp.int32)
            rank += ((left <= compared) & (distance <= before)).astype(jnp.int32)
        return done + DISTANCES, rank

    place = starts + lax.while_loop(more, compare, (jnp.int32(0), jnp.zeros_like(before)))[1][:capacity]
    if not exact:
        place = jnp.where(item < offsets[-1], place, item)
    order = jnp.zeros_like(item).at[place]
    return order.set(item, mode="promise_in_bounds", unique_indices=True, wrap_negative_indices=False)


def _outer(x: RaggedArray, level: int, ascending: bool, operation: str) -> RaggedArray:
    """Sort along an axis that is not the innermost: among the items whose other indices are equal."""
    levels: list[RaggedArray] = []
    content: Content = x
    while isinstance(content, RaggedArray):
        levels.append(content)
        content = content.content
    items = _leaf(content, operation)
    groups = _indices(levels)
    along = groups.pop(level)
    # behind the data there is one more group, behind all others
    valid = levels[-1].valid
    if valid is not None:
        groups[0] = jnp.where(valid, groups[0], np.iinfo(np.int32).max)
    item = lax.iota(jnp.int32, items.shape[0])
    places = _columns(x) if len(levels) == 1 else _by_groups(groups, item)
    order = lax.sort((*groups, _key(items, ascending), item), num_keys=len(groups) + 1, is_stable=True)[-1]
    source = along[order] if operation == "argsort" else items.at[order].get(unique_indices=True)
    result: Any = jnp.zeros_like(source).at[places].set(source, unique_indices=True)
    for rows in reversed(levels):
        result = rows.with_content(result)
    return result


def _by_groups(groups: list[jax.Array], item: jax.Array) -> jax.Array:
    """Return the items group by group, each in the order of the buffer."""
    return lax.sort((*groups, item), num_keys=len(groups), is_stable=True)[-1]


def _columns(x: RaggedArray) -> jax.Array:
    """Return the items column by column: the first of every row, the second of every row, and so on."""
    item = lax.iota(jnp.int32, x.capacity)

    def walk() -> jax.Array:
        return _walked_columns(x.offsets, item)

    def sort() -> jax.Array:
        valid = x.valid
        position = x.positions if valid is None else jnp.where(valid, x.positions, np.iinfo(np.int32).max)
        return _by_groups([position], item)

    longest = x.longest if x.max_length is None else x.max_length
    if longest is not None and longest <= FEW_COLUMNS:
        return walk()
    return lax.cond(jnp.max(jnp.diff(x.offsets), initial=0) <= FEW_COLUMNS, walk, sort)


def _walked_columns(offsets: jax.Array, item: jax.Array) -> jax.Array:
    counts = jnp.diff(offsets)
    longest = jnp.max(counts, initial=0)

    def more(state: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        return state[0] < longest

    def add_column(state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        column, done, places = state
        there = counts > column
        rank = done + running_total(there)
        target = jnp.where(there, rank - 1, item.shape[0])
        places = places.at[target].set(offsets[:-1] + column, mode="drop", wrap_negative_indices=False)
        return column + 1, done + jnp.sum(there, dtype=jnp.int32), places

    return lax.while_loop(more, add_column, (jnp.int32(0), jnp.int32(0), item))[2]


def _indices(levels: list[RaggedArray]) -> list[jax.Array]:
    """Return the index of each item along every axis, from the outermost, each of shape (capacity,)."""
    result = [levels[-1].positions]
    rows = levels[-1].row_ids
    for outer in reversed(levels[:-1]):
        result.append(outer.positions.at[rows].get(mode="clip"))
        rows = outer.row_ids.at[rows].get(mode="clip")
    return [rows, *reversed(result)]
