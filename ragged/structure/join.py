"""Join arrays end to end: `concatenate` rows (axis 0), or the items of each row (axis 1 and deeper)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..array import Content, RaggedArray, RecordArray, content_length
from ..blocks import appended_rows
from ..errors import StructureError, check_same_offsets, concrete
from ..resize import fit, head, settle, with_capacity
from ..slicing.gather import compact, constant, take_rows
from .lists import positive_axis
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
    contents = [settle(x) if isinstance(x, RaggedArray) else _as_content(x) for x in arrays]
    axis = positive_axis(max(contents, key=lambda x: isinstance(x, RaggedArray)), axis, operation="concatenate")
    result = _inside(contents, axis) if axis else _rows(contents)
    if capacity is not None and isinstance(result, RaggedArray):
        result = with_capacity(result, capacity)
    return result


def _as_content(x: Any) -> Content:
    return x if isinstance(x, RecordArray) else jnp.asarray(x)


def _by_column(arrays: Sequence[Any]) -> dict[str, list[Any]]:
    names = arrays[0].fields if isinstance(arrays[0], RecordArray) else []
    for array in arrays:
        if not isinstance(array, RecordArray) or set(array.fields) != set(names):
            found = array.fields if isinstance(array, RecordArray) else "no fields"
            raise StructureError(f"concatenate: one array has the fields {names}, another {found}")
    return {name: [array.columns[name] for array in arrays] for name in names}


def _rows(arrays: Sequence[Any]) -> Any:
    """Append rows."""
    if any(isinstance(x, RecordArray) for x in arrays):
        return RecordArray({name: _rows(columns) for name, columns in _by_column(arrays).items()})
    if not any(isinstance(x, RaggedArray) for x in arrays):
        return jnp.concatenate(arrays)
    if not all(isinstance(x, RaggedArray) for x in arrays):
        raise StructureError("concatenate: all arrays need the same number of list levels")
    joined = _buffers(arrays)
    if all(x.length is None for x in arrays):
        return joined
    flags = [jnp.arange(x.rows) < (x.rows if x.length is None else x.length) for x in arrays]
    real = jnp.concatenate(flags)
    length = jnp.sum(real, dtype=jnp.int32)
    index = compact(real)
    valid = jnp.arange(joined.rows) < length
    return dataclasses.replace(take_rows(joined, index, valid=valid, repeats=1), length=length)


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
        content = _rows([head(x.content, n) for x, n in zip(arrays, sizes, strict=True)])
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


def _inside(arrays: Sequence[Any], axis: int) -> Any:
    """Append items in each row (``axis=1``), or deeper."""
    if all(isinstance(x, RecordArray) for x in arrays):
        return RecordArray({name: _inside(columns, axis) for name, columns in _by_column(arrays).items()})
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
        return dataclasses.replace(first, offsets=offsets, content=_inside(contents, axis - 1))
    rows = next(x for x in arrays if isinstance(x, RaggedArray))
    lists = [x if isinstance(x, RaggedArray) else singletons(_per_row(x, rows.rows)) for x in arrays]
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
    length = next((x.length for x in lists if x.length is not None), None)
    return RaggedArray(bounds, ids, mixed.content, length, longest, mixed.exact)


def _per_row(x: Any, rows: int) -> Any:
    if isinstance(x, RecordArray):
        return x
    if x.ndim == 0 or x.shape[0] == 1 != rows:
        return jnp.broadcast_to(x, (rows,))
    if content_length(x) != rows:
        raise StructureError(f"concatenate: cannot join {rows} rows with {content_length(x)}")
    return x
