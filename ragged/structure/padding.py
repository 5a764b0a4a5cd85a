"""Rows of a chosen length, and rows of length one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..array import Content, RaggedArray, RecordArray, content_of, with_length
from ..errors import CapacityError, check_capacity
from ..flat import FlatArray
from ..functions.promotion import holding
from ..resize import settle, with_capacity
from ..rows import common_rows, rows_of
from ..slicing.gather import compact, constant, rows_from_counts, take
from ..tracing import concrete
from .axes import at_axis, positive_axis


def choose(valid: Any, content: Content, fill_value: Any, *, operation: str) -> Content:
    """Return content with a value where there is no item; lists there are empty already.

    ``valid`` is bool, shape (n,). The value is that of every field; integers become floats where it is one.
    """
    if isinstance(content, RecordArray):
        columns = content.columns.items()
        return RecordArray({k: choose(valid, v, fill_value, operation=operation) for k, v in columns})
    if isinstance(content, RaggedArray):
        return content
    shape = (-1,) + (1,) * (content.ndim - 1)
    dtype = holding(content.dtype, fill_value, operation=operation)
    return jnp.where(jnp.reshape(jnp.asarray(valid), shape), content.astype(dtype), jnp.asarray(fill_value, dtype))


def to_padded(array: Any, fill_value: float = 0, length: int | Sequence[int] | None = None) -> Any:
    """Convert to a regular array, with a value where a row has no item.

    Parameters
    ----------
    array
        A ragged array, of any depth.
    fill_value
        What stands where there is no item.
    length
        The length of each row of the result; for nested arrays one number per list level, or one for all. By default
        the longest row; inside ``jit`` the array's ``max_length``.

    Returns
    -------
    FlatArray or RecordArray
        Shape (rows, length, ...), as a column for each field of records.

    Raises
    ------
    CapacityError
        When a row is longer than ``length``; slice first (``x[:, :length]``) to drop the rest.
    TypeError
        Inside ``jit`` without ``length`` for an array without ``max_length``.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_padded(rg.from_lists([[1.0, 2.0], [], [3.0]]), fill_value=-1.0, length=2)
    Array([[ 1.,  2.],
           [-1., -1.],
           [ 3., -1.]], dtype=float32)
    """
    array = settle(array)
    if isinstance(array, RecordArray):
        columns = {k: content_of(to_padded(v, fill_value, length)) for k, v in array.columns.items()}
        return RecordArray(columns, array.length)
    if not isinstance(array, RaggedArray):
        return array if isinstance(array, FlatArray) else with_length(jnp.asarray(array), None)
    wanted = length if length is None or isinstance(length, int) else length[0]
    deeper = length if length is None or isinstance(length, int) else length[1:]
    if not isinstance(array.content, jax.Array):
        inner = content_of(to_padded(array.content, fill_value, deeper))
        return _padded(array.with_content(inner), fill_value, wanted)
    return _padded(array, fill_value, wanted)


def _padded(array: RaggedArray, fill_value: float, length: int | None) -> Any:
    longest = array.longest
    length = longest if length is None else length
    if length is None:
        raise TypeError("to_padded: the longest row is not known inside jit; pass length=...")
    if longest is not None and concrete(array.offsets) is not None and longest > length:
        raise CapacityError(f"to_padded: a row has {longest} items but length={length}; slice x[:, :{length}] to cut")
    offsets = array.offsets
    if longest is None or longest > length:
        needed = jnp.max(array.row_lengths, initial=0)
        offsets = check_capacity(offsets, needed=needed, capacity=length, operation="to_padded (length of a row)")
    places = jnp.arange(length, dtype=jnp.int32)
    index = (offsets[:-1, None] + places).reshape(-1)
    valid = (places < (offsets[1:] - offsets[:-1])[:, None]).reshape(-1)
    filled = choose(valid, take(array.content, index, valid=valid), fill_value, operation="to_padded")
    rows = array.rows
    return with_length(jax.tree.map(lambda leaf: leaf.reshape((rows, length, *leaf.shape[1:])), filled), array.length)


def pad(
    array: Any,
    length: int,
    fill_value: float,
    *,
    axis: int = 1,
    clip: bool = False,
    capacity: int | None = None,
) -> Any:
    """Lengthen rows to at least ``length`` items: Awkward's ``pad_none`` followed by ``fill_none``.

    Parameters
    ----------
    array
        A ragged array; lists inside the padded ones are padded with empty lists.
    length
        The least number of items in a row.
    fill_value
        The value of the items that are added, in every field of records.
    axis
        Which lists: 1 for the outermost, negative from the deepest.
    clip
        Cut longer rows, so that all have this length.
    capacity
        Room for this many items; inside ``jit`` by default enough for every row to be padded.

    Raises
    ------
    CapacityError
        When the result does not fit.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.pad(rg.from_lists([[1.0, 2.0, 3.0], [], [4.0]]), 2, 0.0)
    <RaggedArray [[1.0, 2.0, 3.0], [0.0, 0.0], [4.0, 0.0]] type='3 * var * float32'>
    """
    axis = positive_axis(array, axis, operation="pad")
    array = settle(array)
    if axis < 1:
        raise ValueError("pad: lists are padded, so that the axis is 1 or more")

    def padded(rows: RaggedArray, live: Any) -> RaggedArray:
        return _pad(rows, live, length, fill_value, clip, capacity)

    return _at_depth(array, axis, getattr(array, "length", None), padded)


def _at_depth(array: Any, axis: int, live: Any, function: Callable[[RaggedArray, Any], RaggedArray]) -> Any:
    """Apply a function to the lists at an axis, and to how many of them are real (None for all)."""
    if isinstance(array, RaggedArray):
        if axis == 1:
            return function(array, live)
        inner = _at_depth(array.content, axis - 1, None if array.exact else array.size, function)
        return array.with_content(content_of(inner))
    if isinstance(array, RecordArray):
        columns = {k: content_of(_at_depth(v, axis, live, function)) for k, v in array.columns.items()}
        return RecordArray(columns, array.length)
    raise ValueError(f"pad: the array has no lists at this axis (it is {axis} too deep)")


def _pad(
    array: RaggedArray, live: Any, length: int, fill_value: float, clip: bool, capacity: int | None
) -> RaggedArray:
    rows, limit = array.rows, array.max_length
    known = concrete(array.offsets)
    counts: Any = array.row_lengths if known is None else np.diff(known)
    least: Any = length
    if live is not None:
        # what are no real rows has no items
        least = jnp.where(jnp.arange(rows, dtype=jnp.int32) < live, length, 0)
    if clip:
        wanted = np.full(rows, length, np.int32) if live is None else least
        result = rows_from_counts(wanted, max_length=length, operation="pad")
        if capacity is not None:
            result = with_capacity(result, capacity)
    else:
        longer = jnp.maximum(counts, least) if known is None or live is not None else np.maximum(counts, least)
        bound = None if limit is None else max(limit, length)
        room = array.capacity + rows * length if bound is None else min(bound * rows, array.capacity + rows * length)
        result = rows_from_counts(
            longer,
            capacity=room if capacity is None else capacity,
            max_length=bound,
            certain=capacity is None,
            operation="pad",
        )
    ids, places = result.row_ids, result.content
    valid = places < take(jnp.asarray(counts), ids)
    items = take(array.offsets, ids) + places
    taken = take(array.content, items, valid=valid, repeats=1, operation="pad")
    return dataclasses.replace(result, content=choose(valid, taken, fill_value, operation="pad"), length=array.length)


def firsts(array: Any, *, fill_value: float, axis: int = 1) -> Any:
    """Return the first item of each row.

    Parameters
    ----------
    array
        A ragged array.
    fill_value
        What an empty row gives, in every field of records; a row of lists gives an empty list.
    axis
        Which lists: 1 for the outermost, negative from the deepest.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.firsts(rg.from_lists([[1.0, 2.0], [], [3.0]]), fill_value=0.0)
    Array([1., 0., 3.], dtype=float32)
    """
    axis = positive_axis(array, axis, operation="firsts")
    array = settle(array)
    return at_axis(array, axis, lambda rows: _firsts(rows, fill_value), operation="firsts")


def _firsts(array: RaggedArray, fill_value: float) -> Content:
    valid = array.row_lengths > 0
    taken = take(array.content, array.offsets[:-1], valid=valid, repeats=1, operation="firsts")
    return choose(valid, taken, fill_value, operation="firsts")


def singletons(array: Any, *, where: Any = None) -> RaggedArray:
    """Put each item into a row of its own; where the condition is false, the row is empty.

    Parameters
    ----------
    array
        A flat or record array, or rows (each becomes a list of one list).
    where
        bool, one per item: which items to keep; all by default.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_numpy([1.0, -2.0, 3.0])
    >>> rg.singletons(x, where=x > 0)
    <RaggedArray [[1.0], [], [3.0]] type='3 * var * float32'>
    """
    array = settle(array)
    rows, content = rows_of(array), content_of(array)
    if not isinstance(content, RaggedArray | RecordArray):
        content = jnp.asarray(content)
    if where is None and rows.length is None:
        ids = np.arange(rows.count + 1, dtype=np.int32)
        return RaggedArray(constant(ids), constant(ids[:-1]), content, None, 1, True)
    flags = np.ones(rows.count, bool) if where is None else content_of(settle(where))
    if where is not None:
        rows, _ = common_rows([rows, rows_of(settle(where))], operation="singletons")
    where = flags if isinstance(flags, jax.Array) else np.asarray(flags)
    if rows.valid is not None:
        where = jnp.asarray(where)[: rows.count] & rows.valid
    lists = rows_from_counts(where.astype(np.int32), max_length=1, operation="singletons")
    taken = take(content, compact(where), valid=lists.valid, repeats=1, operation="singletons")
    return dataclasses.replace(lists, content=taken, length=rows.length)
