"""Indexing: ``x[where]`` for ragged and record arrays.

An index is read from the left. Its first part chooses rows, and every later part works inside each row that is left
(`each`), one list level deeper per part. Lists and arrays of integers in the first two places are paired item by item,
as NumPy does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

from ..array import Content, RaggedArray, RecordArray, content_of, with_length
from ..errors import StructureError
from ..flat import FlatArray, plain
from ..operators import owner
from ..record import Record
from ..records import select_fields
from ..resize import settle, with_capacity
from ..rows import Rows, joined, length_of, rows_of
from ..selection import select
from ..tracing import concrete, is_traced
from .gather import constant, take, take_rows
from .integers import wrap_rows
from .ragged_indices import by_ragged
from .row_slices import is_static, standard_slice, takes_all
from .within_rows import each, pick, regular

_ALL = slice(None)


@owner
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
    FlatArray, RaggedArray, RecordArray, Record or jax.Array
        One item of numbers is a plain array of no axes, one of records a `Record`. Inside ``jit`` a boolean per row
        leaves a buffer of as many rows as there were, the selected ones first, and their number in ``length``; one row
        has its length there.

    Raises
    ------
    IndexError
        For an index out of range, with its row and the row's length; inside ``jit`` from the running program.
    StructureError
        For a mask or a ragged index with other rows than the array's.
    CapacityError
        When the result does not fit.
    TypeError
        For anything else that is no index.

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
    array = settle(array)
    result = _any(array, _expand(array, items), capacity)
    if capacity is not None and isinstance(result, RaggedArray):
        result = with_capacity(result, capacity)
    return result


def _is_name(item: Any) -> bool:
    return isinstance(item, str) or (isinstance(item, list) and bool(item) and isinstance(item[0], str))


def _standard(item: Any) -> Any:
    """Return one part of an index as None, ..., a slice, an integer, a flat array or a ragged array."""
    if item is None or item is Ellipsis or isinstance(item, RaggedArray):
        return item
    if isinstance(item, slice):
        return standard_slice(item)
    if isinstance(item, FlatArray) and item.ndim == 1 and item.dtype == bool:
        # it remembers what it has selected
        return settle(item)
    item = plain(item)
    if isinstance(item, FlatArray) and item.ndim == 1:
        return _integers_or_booleans(item, item)
    if item.ndim == 2 if isinstance(item, FlatArray | jax.Array) else False:
        # one list of positions for each row, as reducers with keepdims=True leave them
        rows = rows_of(item)
        return regular(rows.count, content_of(item).shape[1], rows.length, content_of(item).reshape(-1))
    if isinstance(item, list) and any(map(is_traced, item)):
        item = jnp.stack(item)
    elif isinstance(item, list) and any(isinstance(part, list | np.ndarray) for part in item):
        item = ak.Array(item)
    if isinstance(item, ak.Array):
        from ..convert import from_awkward

        # an empty list has no type; as an index it means no integers
        item = from_awkward(ak.values_astype(item, np.int32) if "unknown" in str(item.type) else item)
        return item
    array = item if isinstance(item, jax.Array) else np.asarray(item)
    if array.size == 0 and not isinstance(array, jax.Array):
        array = array.astype(np.int32)
    return _integers_or_booleans(array, item)


def _integers_or_booleans(array: Any, item: Any) -> Any:
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


def _depth(array: Any) -> int:
    """Return the number of axes: list levels and regular dimensions (of the deepest field of a record)."""
    if isinstance(array, RaggedArray):
        return 1 + _depth(array.content)
    if isinstance(array, RecordArray):
        return max(_depth(column) for column in array.columns.values())
    return int(array.ndim)


def _any(array: Any, items: tuple[Any, ...], capacity: int | None) -> Any:
    """Return ``array[items]`` for an array of any kind, without rows that are known not to be real."""
    head, rest = items[0], items[1:]
    content, rows = content_of(array), rows_of(array)
    if head is None:
        return _one_row(_any(array, rest, capacity) if rest else array)
    if isinstance(head, RaggedArray):
        return _by_lists(array, head, rest)
    if not isinstance(head, slice) and head.ndim == 0:
        return _one(content, rows, head, rest)
    if _are_paired(head, rest) or (
        isinstance(content, jax.Array) and rows.length is None and all(_is_known(item) for item in items)
    ):
        return _pairs(content, rows, items)
    selection = select(rows, head)
    length = selection.rows.length
    return with_length(each(selection.of(content, capacity=capacity), rest, length), length)


def _are_paired(head: Any, rest: tuple[Any, ...]) -> bool:
    """Return whether the first two parts of an index are taken item by item."""
    if not rest or isinstance(head, slice) or not _is_integer(rest[0]):
        return False
    return _is_integer(head) or rest[0].ndim == 1


def _is_known(item: Any) -> bool:
    """Return whether JAX can index by this part of an index itself."""
    if isinstance(item, slice):
        return is_static(item)
    return not isinstance(item, FlatArray) and (item is None or concrete(item) is not None)


def _is_integer(item: Any) -> bool:
    return isinstance(item, np.ndarray | jax.Array | FlatArray) and item.dtype != bool


def _by_lists(array: Any, head: RaggedArray, rest: tuple[Any, ...]) -> Any:
    if not all(map(takes_all, rest)):
        raise TypeError("a ragged index cannot be followed by others; use two pairs of brackets: x[mask][...]")
    if isinstance(array, RecordArray):
        columns = {k: _by_lists(with_length(v, array.length), head, ()) for k, v in array.columns.items()}
        return joined(columns, operation="x[ragged index]")
    if not isinstance(array, RaggedArray):
        raise StructureError("a ragged index fits ragged arrays, not a flat array with one value per row")
    return by_ragged(array, head)


def _one(content: Content, rows: Rows, index: Any, rest: tuple[Any, ...]) -> Any:
    """Return what one row number takes, and the rest of the index inside it."""
    if isinstance(content, RecordArray):
        return Record({k: _one(v, rows, index, rest) for k, v in content.columns.items()})
    if isinstance(content, RaggedArray):
        if rest and _is_integer(rest[0]):
            return _paired(content, rows, index, rest)
        place = wrap_rows(rows, index)
        if not rest:
            return _row(content, place)
        return _any(
            with_length(each(take_rows(content, place[None], operation="x[i, ...]"), rest, None), None), _FIRST, None
        )
    if rows.length is None and all(_is_known(item) for item in (index, *rest)):
        return _flat(content, (index, *rest))
    value = take(content, wrap_rows(rows, index)[None])
    return with_length(each(value, rest, None)[0], None)


_FIRST = (np.asarray(0),)


def _pairs(content: Content, rows: Rows, items: tuple[Any, ...]) -> Any:
    """Return the items at pairs of a row and a position in it, or whatever JAX takes from a flat array."""
    if isinstance(content, RecordArray):
        columns = {k: _pairs(v, rows, items) for k, v in content.columns.items()}
        scalar = all(item.ndim == 0 for item in items if _is_integer(item))
        return Record(columns) if scalar else joined(columns, operation="x[[...], [...]]")
    if not isinstance(content, RaggedArray):
        return _flat(content, items)
    head, rest = items[0], items[1:]
    if not _is_integer(head):
        if concrete(content_of(head)) is None or length_of(head) is not None or rows.length is not None:
            raise TypeError("a boolean mask cannot be paired with an array of integers inside jit")
        head = np.asarray(select(rows, head).index)
    return _paired(content, rows, head, rest)


def _paired(array: RaggedArray, rows: Rows, head: Any, rest: tuple[Any, ...]) -> Any:
    """Return the items at pairs (row, position), or longer tuples of integers."""
    if any(length_of(item) is not None for item in (head, *rest)):
        raise TypeError("integers of which only the data say how many there are cannot be paired with others")
    index = wrap_rows(rows, head)
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
    items = with_length(each(result, rest, None), None)
    return _any(items, _FIRST, None) if scalar else items


def _row(array: RaggedArray, index: Any) -> Any:
    """Return one row: its items without the list around them."""
    known, offsets = concrete(index), concrete(array.offsets)
    if known is not None and offsets is not None:
        items = np.arange(offsets[known], offsets[known + 1], dtype=np.int32)
        return with_length(take(array.content, items, operation="x[i]"), None)
    start, count = array.offsets[index], array.row_lengths[index]
    room = array.capacity if array.max_length is None else min(array.max_length, array.capacity)
    places = jnp.arange(room, dtype=jnp.int32)
    row = take(array.content, start + places, valid=places < count, repeats=1, operation="x[i]")
    return with_length(row, count)


def _one_row(array: Any) -> RaggedArray:
    """Return an array with one row that holds everything."""
    content, (n, length) = content_of(array), rows_of(array)
    if length is not None:
        offsets = jnp.stack([jnp.zeros((), jnp.int32), length])
        ids = (jnp.arange(n) >= length).astype(jnp.int32)
        return RaggedArray(offsets, ids, content, None, n, False)
    return RaggedArray(constant(np.array([0, n], np.int32)), constant(np.zeros(n, np.int32)), content, None, n, True)


def _flat(array: jax.Array, items: Sequence[Any]) -> Any:
    """Index a flat array all of whose rows are real, with the checks that JAX leaves out."""
    axis = 0
    standard: list[Any] = []
    for item in items:
        if item is None or isinstance(item, slice):
            standard.append(item)
        else:
            if axis >= array.ndim:
                raise IndexError(f"too many indices: the array has {array.ndim} axes")
            standard.append(_flat_index(item, array.shape[axis]))
        axis += item is not None
    if axis > array.ndim:
        raise IndexError(f"too many indices: the array has {array.ndim} axes")
    return with_length(array[tuple(standard)], None)


def _flat_index(item: Any, length: int) -> Any:
    known = concrete(item)
    if item.dtype == bool:
        if known is None:
            raise TypeError("inside jit a mask of unknown values selects rows, not items of a regular dimension")
        if len(known) != length:
            raise StructureError(f"x[mask]: the mask has {len(known)} rows, the array has {length}")
        return np.flatnonzero(known)
    if known is not None:
        bad = (known < -length) | (known >= length)
        if bad.any():
            raise IndexError(f"index {known[bad].ravel()[0]} is out of range for an axis of length {length}")
        places = np.where(known < 0, known + length, known)
        # a number that Python knows is a slice of memory, not a gather
        return int(places) if places.ndim == 0 else places
    return wrap_rows(Rows(length, None), item)
