"""The shape of ragged arrays: lengths, positions, and removing or adding a list level."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..array import Content, RaggedArray, RecordArray, content_length, content_of, row_ids_from_offsets, with_length
from ..checks.check import check
from ..errors import StructureError, check_same_length
from ..flat import FlatArray, plain
from ..resize import fit, head, settle
from ..rows import joined, length_of, rows_of
from ..running import starts_from_counts
from ..slicing.gather import rows_from_counts, take
from ..tracing import concrete
from .axes import at_axis, positive_axis
from .join import concatenate


def num(array: Any, axis: int = 1) -> Any:
    """Return the number of items in each list.

    Parameters
    ----------
    array
        A ragged or record array.
    axis
        1 for the outermost lists, 0 for the number of rows (an integer scalar, also after a selection of rows inside
        ``jit``), negative from the deepest.

    Raises
    ------
    ValueError
        When there is no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.num(rg.from_lists([[1.0, 2.0], [], [3.0]]))
    Array([2, 0, 1], dtype=int32)
    """
    axis = positive_axis(array, axis, operation="num")
    if axis == 0:
        return jnp.asarray(rows_of(array).number, jnp.int32)
    array = settle(array)
    counts = at_axis(array, axis, lambda rows: rows.row_lengths, operation="num")
    if axis == 1 and isinstance(counts, FlatArray):
        # so that `unflatten` by these counts gives lists that are known to be the same
        counts.__dict__["_lists"] = array.with_content(array.row_ids)
    return counts


def local_index(array: Any, axis: int = -1) -> Any:
    """Return the position of each item in its list.

    Parameters
    ----------
    array
        A ragged or record array.
    axis
        0 for the number of the row, 1 for the outermost lists, -1 for the deepest.

    Raises
    ------
    ValueError
        When there is no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.local_index(rg.from_lists([[5.0, 6.0], [], [7.0]]))
    <RaggedArray [[0, 1], [], [0]] type='3 * var * int32'>
    """
    axis = positive_axis(array, axis, operation="local_index")
    array = settle(array)
    if axis == 0:
        return with_length(jnp.arange(content_length(array), dtype=jnp.int32), length_of(array))
    return at_axis(array, axis, lambda rows: rows.with_content(rows.positions), operation="local_index")


def flatten(array: Any, axis: int | None = 1, *, fill_value: float = 0) -> Any:
    """Remove a list level.

    Parameters
    ----------
    array
        A ragged or record array.
    axis
        Which lists to remove: 1 for the outermost, None for all levels and all fields (one flat array of numbers).
    fill_value
        What stands behind the data inside ``jit``.

    Returns
    -------
    FlatArray, RaggedArray or RecordArray
        Exactly the items. Inside ``jit`` the buffer of the result is as long as that of the array, with ``fill_value``
        behind the data, and ``length`` says how many items there are.

    Raises
    ------
    ValueError
        When there is no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.flatten(rg.from_lists([[1.0, 2.0], [], [3.0]]))
    Array([1., 2., 3.], dtype=float32)
    """
    array = settle(array)
    if axis is None:
        return _flatten_all(array, fill_value)
    axis = positive_axis(array, axis, operation="flatten")
    if axis == 0:
        return array
    if axis > 1 and isinstance(array, RaggedArray):
        return at_axis(array, axis - 1, _merge, operation="flatten")
    if isinstance(array, RecordArray):
        columns = {k: flatten(v, 1, fill_value=fill_value) for k, v in array.columns.items()}
        return joined(columns, operation="flatten")
    if not isinstance(array, RaggedArray):
        raise ValueError("flatten: the array has no lists at this axis (it is 1 too deep)")
    return _without_list(array, fill_value)


def _without_list(rows: RaggedArray, fill_value: float) -> Any:
    size = concrete(rows.size)
    if size is not None:
        return with_length(head(rows.content, int(size)), None)
    if rows.exact:
        return with_length(rows.content, None)
    return with_length(_fill_tail(rows.content, rows.valid, fill_value), rows.size)


def _fill_tail(content: Content, valid: Any, fill_value: float) -> Content:
    if isinstance(content, RecordArray):
        return RecordArray({k: _fill_tail(v, valid, fill_value) for k, v in content.columns.items()})
    if isinstance(content, RaggedArray):
        return content
    return jnp.where(valid.reshape((-1,) + (1,) * (content.ndim - 1)), content, jnp.asarray(fill_value, content.dtype))


def _flatten_all(array: Any, fill_value: float) -> Any:
    if isinstance(array, RecordArray):
        columns = (with_length(column, array.length) for column in array.columns.values())
        return concatenate([_flatten_all(column, fill_value) for column in columns])
    if isinstance(array, RaggedArray):
        # the lists behind the end of the outer level are empty, so that none of their items appear
        return _flatten_all(_without_list(array, fill_value), fill_value)
    if isinstance(array, FlatArray) and array.length is not None:
        width = math.prod(array.content.shape[1:])
        return with_length(array.content.reshape(-1), array.length * width)
    return with_length(content_of(array).reshape(-1), None)


def _merge(rows: RaggedArray) -> RaggedArray:
    """Join the lists of lists in each row into one list."""
    inner = rows.content
    if isinstance(inner, RecordArray):
        merged = {k: _merge(rows.with_content(v)) for k, v in inner.columns.items()}
        raise ValueError(f"flatten: the fields {list(merged)} would get rows of different lengths; flatten each field")
    if not isinstance(inner, RaggedArray):
        if inner.ndim < 2:
            raise ValueError("flatten: the array has no lists at this axis")
        width = inner.shape[1]
        offsets = rows.offsets * width
        flat = inner.reshape((-1, *inner.shape[2:]))
        longest = None if rows.max_length is None else rows.max_length * width
        return dataclasses.replace(
            rows, offsets=offsets, row_ids=jnp.repeat(rows.row_ids, width), content=flat, max_length=longest
        )
    known = None if rows.max_length is None or inner.max_length is None else rows.max_length * inner.max_length
    bounds: Any = take(inner.offsets, rows.offsets)
    inside = jnp.append(rows.row_ids, rows.rows)
    ids: Any = take(inside, inner.row_ids)
    return RaggedArray(bounds, ids, inner.content, rows.length, known, rows.exact and inner.exact)


def ravel(array: Any, *, fill_value: float = 0) -> Any:
    """Return all numbers as one flat array: `flatten` with ``axis=None``.

    Parameters
    ----------
    array
        A ragged or record array.
    fill_value
        What stands behind the data inside ``jit``.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.ravel(rg.from_lists([[[1.0], [2.0, 3.0]], []]))
    Array([1., 2., 3.], dtype=float32)
    """
    return flatten(array, None, fill_value=fill_value)


def unflatten(array: Any, counts: Any, *, max_length: int | None = None) -> RaggedArray:
    """Put a list level around the items of an array.

    Parameters
    ----------
    array
        Flat, ragged or record array: the items.
    counts
        How many items each list gets: integers of shape (rows,), or one number for all.
    max_length
        A bound on the counts, if known.

    Raises
    ------
    TypeError
        When the counts are not integers.
    StructureError
        When a count is negative, or they do not add up to the number of items (inside ``jit`` from the running
        program). A plain array, such as the ``content`` of another one, has as many items as it is long.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.unflatten(rg.from_numpy([1.0, 2.0, 3.0]), [2, 0, 1])
    <RaggedArray [[1.0, 2.0], [], [3.0]] type='3 * var * float32'>
    """
    lists = counts.__dict__.get("_lists") if isinstance(counts, FlatArray) and max_length is None else None
    array, counts = plain(settle(array)), plain(counts)
    if lists is not None and _may_fill(lists, array):
        return _into(lists, array)
    if length_of(array) is not None or length_of(counts) is not None:
        return _unflatten_selected(array, counts, max_length)
    content = array
    if not isinstance(content, RaggedArray | RecordArray):
        content = jnp.asarray(content)
    n = content_length(content)
    counts = _integers(counts)
    if counts.ndim == 0:
        width = int(counts)
        if width <= 0 or n % width:
            raise StructureError(f"unflatten: {n} items cannot be divided into lists of {width}")
        counts, max_length = np.full(n // width, width, np.int32), width
    known = concrete(counts)
    if known is not None:
        if np.any(known < 0):
            raise StructureError(f"unflatten: count {int(known.argmin())} is negative ({int(known.min())})")
        if known.sum(dtype=np.int64) != n:
            raise StructureError(f"unflatten: counts add up to {known.sum(dtype=np.int64)}, but there are {n} items")
        if max_length is not None and known.max(initial=0) > max_length:
            raise StructureError(f"unflatten: a count is {known.max()}, more than max_length={max_length}")
        rows = rows_from_counts(known.astype(np.int32), max_length=max_length, operation="unflatten")
        return rows.with_content(content)
    offsets = _checked_offsets(counts, n, max_length)
    ids = row_ids_from_offsets(offsets, n)
    return RaggedArray(offsets, ids, content, None, max_length, False)


def _may_fill(lists: RaggedArray, array: Any) -> bool:
    """Return whether an array has as many items as lists need, as far as is known while tracing."""
    items = rows_of(array)
    return not lists.exact or (items.length is None and items.count == lists.capacity)


def _into(lists: RaggedArray, array: Any) -> RaggedArray:
    """Put items into the lists whose lengths were asked for; there have to be as many."""
    content = content_of(array)
    if not isinstance(content, RaggedArray | RecordArray):
        content = jnp.asarray(content)
    if lists.exact:
        return lists.with_content(content)
    number = jnp.asarray(rows_of(array).number, jnp.int32)
    _, offsets = check_same_length(number, lists.size, lists.offsets, operation="unflatten (the sum of the counts)")
    return dataclasses.replace(lists, offsets=offsets, content=fit(content, lists.capacity))


def _integers(counts: Any) -> Any:
    """Return counts as an array of integers.

    Raises `TypeError` when they are anything else: a count of 1.5 has no meaning, and rounding it would lose items.
    """
    counts = counts if isinstance(counts, jax.Array) else np.asarray(counts)
    if counts.size and not jnp.issubdtype(counts.dtype, jnp.integer):
        raise TypeError(f"unflatten: counts must be integers, not {counts.dtype}")
    return counts


def _checked_offsets(counts: jax.Array, items: int, max_length: int | None) -> jax.Array:
    """Return offsets from traced counts, none of them negative or longer than allowed, that together take all items."""
    longest = items if max_length is None else min(max_length, items)

    def fail(place: int, least: int, most: int, total: int) -> None:
        if least < 0:
            raise StructureError(f"unflatten: count {place} is negative ({least})")
        if most > longest and total <= items:
            raise StructureError(f"unflatten: a count is {most}, more than max_length={max_length}")
        raise StructureError(f"unflatten: counts add up to {total}, but there are {items} items")

    def summary(counts: jax.Array) -> tuple[jax.Array, ...]:
        # as floating-point numbers, because integers may overflow
        return jnp.argmin(counts), jnp.min(counts), jnp.max(counts), jnp.sum(counts.astype(jnp.float32))

    # a count beyond the limits is wrong anyway; cut to them, a sum cannot overflow unnoticed
    wrong = jnp.any((counts < 0) | (counts > longest))
    offsets = starts_from_counts(jnp.clip(counts, 0, longest))
    wrong |= (offsets[-1] != items) | jnp.any(offsets[1:] < offsets[:-1])
    return check(offsets, wrong, (counts,), fail, summary=summary)


def _unflatten_selected(array: Any, counts: Any, max_length: int | None) -> RaggedArray:
    """Put lists around items, or by counts, of which only the data say how many there are."""
    items, content = rows_of(array), content_of(array)
    length = length_of(counts)
    if length is None and np.ndim(counts) == 0:
        width = int(counts)
        if width <= 0:
            raise StructureError(f"unflatten: items cannot be divided into lists of {width}")
        counts, length, max_length = np.full(items.count // width, width, np.int32), items.number // width, width
    counts = jnp.asarray(content_of(counts), jnp.int32)
    if length is not None:
        counts = jnp.where(jnp.arange(counts.shape[0], dtype=jnp.int32) < length, counts, 0)
    rows = rows_from_counts(counts, capacity=items.count, max_length=max_length, operation="unflatten")
    number = jnp.asarray(items.number, jnp.int32)
    _, offsets = check_same_length(number, rows.size, rows.offsets, operation="unflatten (the sum of the counts)")
    return RaggedArray(offsets, rows.row_ids, fit(content, rows.capacity), length, max_length, False)
