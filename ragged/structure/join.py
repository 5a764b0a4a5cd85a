"""Join arrays end to end: `concatenate` rows (axis 0), or the items of each row (axis 1 and deeper)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..array import Content, RaggedArray, RecordArray, content_length, content_of, with_length
from ..errors import StructureError, check_same_offsets
from ..flat import FlatArray
from ..resize import fit, head, settle, with_capacity
from ..rows import Rows, common_rows, cut, is_per_row, rows_of
from ..slicing.gather import compact, constant, take, take_rows
from ..slicing.within_rows import regular
from ..tracing import concrete
from .axes import positive_axis
from .blocks import appended_rows
from .padding import singletons


def concatenate(arrays: Sequence[Any], axis: int = 0, *, capacity: int | None = None) -> Any:
    """Join arrays.

    Parameters
    ----------
    arrays
        Arrays of the same depth, with the same fields if they are records.
    axis
        0 appends the rows; 1 appends the items of each row (a flat array counts as one item per row); negative from
        the deepest.
    capacity
        Room for this many items in the outermost rows of the result; by default all capacities together.

    Raises
    ------
    StructureError
        When the arrays have different depth, fields, or (``axis=1``) numbers of rows.
    CapacityError
        When the items do not fit.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0], [], [3.0]])
    >>> rg.concatenate([x, 10.0 * x], axis=1)
    <RaggedArray [[1.0, 2.0, 10.0, 20.0], [], [3.0, 30.0]] type='3 * var * float32'>
    """
    if not arrays:
        raise ValueError("concatenate: at least one array is needed")
    arrays = [_as_array(x) for x in arrays]
    axis = positive_axis(max(arrays, key=lambda x: isinstance(x, RaggedArray)), axis, operation="concatenate")
    result = _in_rows(arrays, axis) if axis else _rows(arrays)
    if capacity is not None and isinstance(result, RaggedArray):
        result = with_capacity(result, capacity)
    return result


def _as_array(x: Any) -> Any:
    return settle(x) if isinstance(x, FlatArray | RaggedArray | RecordArray) else with_length(jnp.asarray(x), None)


def _by_column(arrays: Sequence[Any]) -> dict[str, list[Any]]:
    names = arrays[0].fields if isinstance(arrays[0], RecordArray) else []
    for array in arrays:
        if not isinstance(array, RecordArray) or set(array.fields) != set(names):
            found = array.fields if isinstance(array, RecordArray) else "no fields"
            raise StructureError(f"concatenate: one array has the fields {names}, another {found}")
    return {name: [array.columns[name] for array in arrays] for name in names}


def _rows(arrays: Sequence[Any]) -> Any:
    """Append rows."""
    rows = [rows_of(x) for x in arrays]
    joined = _end_to_end([content_of(x) for x in arrays])
    if all(each.length is None for each in rows):
        return with_length(joined, None)
    real = jnp.concatenate([jnp.arange(each.count, dtype=jnp.int32) < each.number for each in rows])
    length = jnp.sum(real, dtype=jnp.int32)
    valid = jnp.arange(real.shape[0], dtype=jnp.int32) < length
    return with_length(take(joined, compact(real), valid=valid, repeats=1, operation="concatenate"), length)


def _end_to_end(arrays: Sequence[Any]) -> Any:
    """Append the rows of contents, all of which are real."""
    if any(isinstance(x, RecordArray) for x in arrays):
        return RecordArray({name: _end_to_end(columns) for name, columns in _by_column(arrays).items()})
    if not any(isinstance(x, RaggedArray) for x in arrays):
        return jnp.concatenate(arrays)
    if not all(isinstance(x, RaggedArray) for x in arrays):
        raise StructureError("concatenate: all arrays need the same number of list levels")
    return _buffers(arrays)


def _buffers(arrays: Sequence[RaggedArray]) -> RaggedArray:
    """Append all rows, real or not."""
    lengths = [x.max_length for x in arrays]
    longest = None if None in lengths else max(length for length in lengths if length is not None)
    for x in arrays[1:]:
        _same_structure(arrays[0].content, x.content)
    known = [part for part in (concrete(x.offsets) for x in arrays) if part is not None]
    ids = [part for part in (concrete(x.row_ids) for x in arrays) if part is not None]
    if len(known) == len(ids) == len(arrays):
        sizes = [int(part[-1]) for part in known]
        shifts, before = np.cumsum([0, *sizes]), np.cumsum([0, *(x.rows for x in arrays)])
        ends = [part[1:] + np.int32(shift) for part, shift in zip(known, shifts, strict=False)]
        rows = [part[:n] + np.int32(shift) for part, n, shift in zip(ids, sizes, before, strict=False)]
        content = _end_to_end([head(x.content, n) for x, n in zip(arrays, sizes, strict=True)])
        offsets, row_ids = np.concatenate([np.zeros(1, np.int32), *ends]), np.concatenate(rows)
        return RaggedArray(constant(offsets), constant(row_ids), content, None, longest, True)
    return appended_rows(arrays, longest)


def _same_structure(first: Content, other: Content) -> None:
    """Raise when contents differ in depth or in their fields."""
    if isinstance(first, RecordArray) or isinstance(other, RecordArray):
        for columns in _by_column([first, other]).values():
            _same_structure(*columns)
    elif isinstance(first, RaggedArray) != isinstance(other, RaggedArray):
        raise StructureError("concatenate: all arrays need the same number of list levels")
    elif isinstance(first, RaggedArray) and isinstance(other, RaggedArray):
        _same_structure(first.content, other.content)


def _in_rows(arrays: Sequence[Any], axis: int) -> Any:
    """Append inside rows that the arrays have in common."""
    several = [rows_of(x) for x in arrays if isinstance(x, RaggedArray) or is_per_row(x)]
    counts = [each.count for each in several]
    if len(set(counts)) > 1 and all(each.length is None for each in several):
        raise StructureError(f"concatenate: cannot join {max(counts)} rows with {min(counts)}")
    rows = common_rows(several, operation="concatenate")[0] if several else Rows(1, None)
    if rows.length is None:
        return with_length(_inside([content_of(x) for x in arrays], axis, None), None)
    contents = [cut(x, rows) if isinstance(x, RaggedArray) or is_per_row(x) else content_of(x) for x in arrays]
    return with_length(_inside(contents, axis, rows.length), rows.length)


def _inside(arrays: Sequence[Any], axis: int, live: Any) -> Any:
    """Append items in each row (``axis=1``), or deeper."""
    if all(isinstance(x, RecordArray) for x in arrays):
        return RecordArray({name: _inside(columns, axis, live) for name, columns in _by_column(arrays).items()})
    if not any(isinstance(x, RaggedArray) for x in arrays):
        if any(isinstance(x, RecordArray) or x.ndim <= axis for x in arrays):
            raise StructureError("concatenate: the arrays have no lists at this axis")
        return jnp.concatenate(arrays, axis=axis)
    if axis > 1:
        first = arrays[0]
        if not all(isinstance(x, RaggedArray) for x in arrays):
            raise StructureError("concatenate: all arrays need the same number of list levels")
        offsets = first.offsets
        for other in arrays[1:]:
            offsets = check_same_offsets(offsets, other.offsets, operation="concatenate")
        contents = [fit(x.content, first.capacity) for x in arrays]
        return dataclasses.replace(first, offsets=offsets, content=_inside(contents, axis - 1, None))
    rows = next(x for x in arrays if isinstance(x, RaggedArray))
    lists = [x if isinstance(x, RaggedArray) else _as_lists(x, rows.rows, live) for x in arrays]
    for x in lists:
        if x.rows != rows.rows:
            raise StructureError(f"concatenate: cannot join {rows.rows} rows with {x.rows}")
    n, k = rows.rows, len(lists)
    joined = _buffers(lists)
    order = np.arange(n * k, dtype=np.int32).reshape(k, n).T.reshape(-1)
    mixed = take_rows(joined, order, repeats=1, exact=True, operation="concatenate")
    lengths = [x.max_length for x in lists]
    longest = None if None in lengths else sum(length for length in lengths if length is not None)
    bounds: Any = mixed.offsets
    ids: Any = mixed.row_ids
    known, known_ids = concrete(bounds), concrete(ids)
    if known is not None and known_ids is not None:
        bounds, ids = constant(known[::k]), constant(known_ids // k)
    else:
        bounds, ids = bounds[::k], ids // k
    return RaggedArray(bounds, ids, mixed.content, None, longest, mixed.exact)


def _as_lists(x: Any, rows: int, live: Any) -> RaggedArray:
    """Return one value per row as lists of one item, and a regular dimension as lists of its length."""
    if not isinstance(x, RecordArray) and x.ndim > 1:
        if x.shape[0] != rows:
            raise StructureError(f"concatenate: cannot join {rows} rows with {x.shape[0]}")
        return content_of(regular(rows, x.shape[1], live, x.reshape((-1, *x.shape[2:]))))
    return content_of(singletons(with_length(_per_row(x, rows), live)))


def _per_row(x: Any, rows: int) -> Any:
    if isinstance(x, RecordArray):
        return x
    if x.ndim == 0 or x.shape[0] == 1 != rows:
        return jnp.broadcast_to(x, (rows,))
    if content_length(x) != rows:
        raise StructureError(f"concatenate: cannot join {rows} rows with {content_length(x)}")
    return x
