"""Indexing: ``x[where]`` for ragged and record arrays.

An index is read from the left. Its first part chooses rows, and every later part works inside each row that is left
(`each`), one list level deeper per part. Lists and arrays of integers in the first two places are paired item by item,
as NumPy does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

from ..array import Content, RaggedArray, RecordArray, content_length
from ..errors import StructureError, concrete
from ..records import select_fields
from ..resize import settle, with_capacity
from .gather import compact, constant, take, take_rows
from .integers import wrap_rows
from .ragged_indices import by_ragged
from .row_slices import slice_rows
from .within_rows import each, pick

_ALL = slice(None)


def getitem(array: Any, where: Any, *, capacity: int | None = None) -> Any:
    """Return ``array[where]``, with a buffer of a chosen size.

    Parameters
    ----------
    array
        A ragged or record array.
    where
        An integer, a slice, ``...``, ``np.newaxis``, a list or array of integers, a boolean per row, a ragged array of
        booleans (with the same rows) or of integers (positions in each row), the name of a field or a list of names,
        or a tuple of these.
    capacity
        Room for this many items in the outermost rows of the result. By default the exact size; inside ``jit``
        the array's own capacity, or what is certain to suffice.

    Returns
    -------
    RaggedArray, RecordArray or jax.Array
        Inside ``jit`` a boolean per row leaves as many rows as there were, the selected ones first, and the number of
        the selected ones in ``length``.

    Raises
    ------
    IndexError
        For an index out of range, with its row and the row's length; inside ``jit`` from the running program.
    StructureError
        For a mask or a ragged index with other rows than the array's.
    CapacityError
        When the result does not fit.
    TypeError
        Inside ``jit`` for a result whose length cannot be represented: one row of an array of numbers.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0, 3.0], [], [4.0, 5.0]])
    >>> x[2, 1]
    Array(5., dtype=float32)
    >>> x[[2, 2, 0], ::-1]
    <RaggedArray [[5.0, 4.0], [5.0, 4.0], [3.0, 2.0, 1.0]] type='3 * var * float32'>
    >>> x[x > 1.5]
    <RaggedArray [[2.0, 3.0], [], [4.0, 5.0]] type='3 * var * float32'>
    """
    items = where if isinstance(where, tuple) else (where,)
    array = select_fields(array, [item for item in items if _is_name(item)])
    items = tuple(_standard(item) for item in items if not _is_name(item))
    if not items:
        return array
    result = _any(array, _expand(array, items), capacity)
    if capacity is not None and isinstance(result, RaggedArray):
        result = with_capacity(result, capacity)
    return result


def _is_name(item: Any) -> bool:
    return isinstance(item, str) or (isinstance(item, list) and bool(item) and isinstance(item[0], str))


def _standard(item: Any) -> Any:
    """Return one part of an index as None, ..., a slice, an integer, a flat array or a ragged array."""
    if item is None or item is Ellipsis or isinstance(item, slice | RaggedArray):
        return item
    if isinstance(item, list) and any(isinstance(part, list | np.ndarray) for part in item):
        item = ak.Array(item)
    if isinstance(item, ak.Array):
        from ..convert import from_awkward

        # an empty list has no type; as an index it means no integers
        item = from_awkward(ak.values_astype(item, np.int32) if "unknown" in str(item.type) else item)
        return item
    array = item if isinstance(item, jax.Array) else np.asarray(item)
    if array.size == 0 and not isinstance(array, jax.Array):
        array = array.astype(np.int32)
    kind = "b" if array.dtype == bool else "i" if jnp.issubdtype(array.dtype, jnp.integer) else "?"
    if kind == "?" or array.ndim > 1 or (array.ndim == 0 and kind == "b"):
        raise TypeError(
            "an index is an integer, a slice, ..., None, a flat or ragged array of integers or booleans, or field "
            f"names; got {type(item).__name__} of type {array.dtype} and shape {array.shape}"
        )
    return array


def _expand(array: Content, items: tuple[Any, ...]) -> tuple[Any, ...]:
    """Replace ``...`` by the full slices that it stands for."""
    places = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(places) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if not places:
        return items
    used = sum(_depth(item) if isinstance(item, RaggedArray) else item is not None for item in items) - 1
    missing = _depth(array) - used
    return items[: places[0]] + (_ALL,) * max(missing, 0) + items[places[0] + 1 :]


def _depth(array: Content) -> int:
    """Return the number of axes: list levels and regular dimensions (of the deepest field of a record)."""
    if isinstance(array, RaggedArray):
        return 1 + _depth(array.content)
    if isinstance(array, RecordArray):
        return max(_depth(column) for column in array.columns.values())
    return array.ndim


def _any(array: Content, items: tuple[Any, ...], capacity: int | None) -> Content:
    if isinstance(array, RecordArray):
        return RecordArray({k: _any(v, items, capacity) for k, v in array.columns.items()})
    if isinstance(array, RaggedArray):
        return _rows(settle(array), items, capacity)
    return _flat(array, items)


def _is_integer(item: Any) -> bool:
    return isinstance(item, np.ndarray | jax.Array) and item.dtype != bool


def _rows(array: RaggedArray, items: tuple[Any, ...], capacity: int | None) -> Content:
    head, rest = items[0], items[1:]
    if head is None:
        return _one_row(_rows(array, rest, capacity) if rest else array)
    if isinstance(head, RaggedArray):
        if any(not isinstance(item, slice) or item != _ALL for item in rest):
            raise TypeError("a ragged index cannot be followed by others; use two pairs of brackets: x[mask][...]")
        return by_ragged(array, head)
    if isinstance(head, slice):
        result = slice_rows(array, head)
        return each(result, rest, result.length)
    if not _is_integer(head):
        if rest and _is_integer(rest[0]) and rest[0].ndim == 1:
            known = concrete(head)
            if known is None:
                raise TypeError("a boolean mask cannot be paired with an array of integers inside jit")
            head = compact(_whole_mask(array, head))
        else:
            result = _mask_rows(array, head)
            return each(result, rest, result.length)
    if rest and _is_integer(rest[0]):
        return _paired(array, head, rest)
    index = wrap_rows(array, head)
    if head.ndim == 1:
        return each(take_rows(array, index, capacity=capacity, operation="x[[...]]"), rest, None)
    if rest:
        return _any(each(take_rows(array, index[None], operation="x[i, ...]"), rest, None), (np.asarray(0),), None)
    return _row(array, index)


def _paired(array: RaggedArray, head: Any, rest: tuple[Any, ...]) -> Content:
    """Return the items at pairs (row, position), or longer tuples of integers."""
    index = wrap_rows(array, head)
    scalar = head.ndim == 0
    result: Content = array
    known = concrete(index)
    index = jnp.atleast_1d(index) if known is None else np.atleast_1d(known)
    while rest and _is_integer(rest[0]) and isinstance(result, RaggedArray):
        places = rest[0]
        if places.ndim == 1 and len(places) != len(index) and len(index) != 1 and len(places) != 1:
            raise IndexError(f"cannot pair {len(index)} integers with {len(places)} in one index")
        n = max(len(index), len(places) if places.ndim == 1 else 1)
        if places.ndim == 1 and len(places) == 0:
            n = 0
        index = index if len(index) == n else np.zeros(n, np.int32) + index[:1]
        result = pick(result, index, places)
        scalar = scalar and places.ndim == 0
        index, rest = np.arange(n, dtype=np.int32), rest[1:]
    if not scalar:
        return each(result, rest, None)
    return _any(each(result, rest, None), (np.asarray(0),), None)


def _row(array: RaggedArray, index: Any) -> Content:
    """Return one row: its items without the list around them."""
    known, offsets = concrete(index), concrete(array.offsets)
    if known is not None and offsets is not None:
        items = np.arange(offsets[known], offsets[known + 1], dtype=np.int32)
        return take(array.content, items, operation="x[i]")
    if isinstance(array.content, RaggedArray):
        start, count = array.offsets[index], array.counts[index]
        room = array.capacity if array.max_length is None else min(array.max_length, array.capacity)
        places = jnp.arange(room, dtype=jnp.int32)
        row = take_rows(array.content, start + places, valid=places < count, repeats=1, operation="x[i]")
        return dataclasses.replace(row, length=count)
    raise TypeError(
        "x[i] inside jit: the length of the row is not known while tracing; use x[i:i+1] for an array with this one "
        "row, x[i, j] for an item, or rg.to_padded(x, fill_value, length=...)[i] for a row of fixed length"
    )


def _whole_mask(array: RaggedArray, mask: Any) -> Any:
    if mask.shape[0] != array.rows:
        raise StructureError(f"x[mask]: the mask has {mask.shape[0]} rows, the array has {array.rows}")
    return mask


def _mask_rows(array: RaggedArray, mask: Any) -> RaggedArray:
    mask = _whole_mask(array, mask)
    if concrete(mask) is not None and array.length is None:
        return take_rows(array, compact(mask), repeats=1, operation="x[mask]")
    real = jnp.arange(array.rows, dtype=jnp.int32)
    if array.length is not None:
        mask = mask & (real < array.length)
    length = jnp.sum(mask, dtype=jnp.int32)
    rows = take_rows(array, compact(jnp.asarray(mask)), valid=real < length, repeats=1, operation="x[mask]")
    return dataclasses.replace(rows, length=length)


def _one_row(content: Content) -> RaggedArray:
    """Return an array with one row that holds everything."""
    if isinstance(content, RaggedArray) and content.length is not None:
        offsets = jnp.stack([jnp.zeros((), jnp.int32), content.length])
        ids = (jnp.arange(content.rows) >= content.length).astype(jnp.int32)
        inner = dataclasses.replace(content, length=None)
        return RaggedArray(offsets, ids, inner, None, content.rows, False)
    n = content_length(content)
    return RaggedArray(constant(np.array([0, n], np.int32)), constant(np.zeros(n, np.int32)), content, None, n, True)


def _flat(array: jax.Array, items: Sequence[Any]) -> jax.Array:
    """Index a flat column of a record array, with the checks that JAX leaves out."""
    axis = 0
    standard: list[Any] = []
    for item in items:
        if isinstance(item, RaggedArray):
            raise StructureError("a ragged index fits ragged arrays, not a flat array with one value per row")
        if item is None or isinstance(item, slice):
            standard.append(item)
        else:
            if axis >= array.ndim:
                raise IndexError(f"too many indices: the array has {array.ndim} axes")
            standard.append(_flat_index(item, array.shape[axis]))
        axis += item is not None
    if axis > array.ndim:
        raise IndexError(f"too many indices: the array has {array.ndim} axes")
    return array[tuple(standard)]


def _flat_index(item: Any, length: int) -> Any:
    known = concrete(item)
    if item.dtype == bool:
        if known is None:
            raise TypeError(
                "a flat array has no room for an unknown number of rows: inside jit a mask selects rows of ragged "
                "arrays only; use rg.where or weights for flat columns"
            )
        if len(known) != length:
            raise StructureError(f"x[mask]: the mask has {len(known)} rows, the array has {length}")
        return np.flatnonzero(known)
    if known is not None:
        bad = (known < -length) | (known >= length)
        if bad.any():
            raise IndexError(f"index {known[bad].ravel()[0]} is out of range for an axis of length {length}")
        return np.where(known < 0, known + length, known)
    return item
