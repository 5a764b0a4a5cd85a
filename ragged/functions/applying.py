"""Elementwise functions of ragged arrays, with Awkward's broadcasting.

Rows broadcast against rows of the same lengths; one value per row (a flat array as long as the rows) and a regular
dimension of length 1 (what ``keepdims=True`` leaves) are repeated along the row; scalars go everywhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..array import RaggedArray, RecordArray, content_of, with_length
from ..errors import StructureError, check_same_offsets
from ..flat import FlatArray, plain
from ..operators import owner
from ..reduce.segments import bound
from ..reduce.sums import LONG, spread_to_items
from ..resize import fit, settle
from ..rows import Rows, brought_together, common_rows, cut, has_rows, is_per_row, length_of, rows_of
from ..unused import guard
from .foreign import refuse_awkward


@owner
def is_operand(x: Any) -> bool:
    """Return whether elementwise functions accept ``x``: numbers, arrays, ragged arrays, lists of numbers.

    Raises `TypeError` for an Awkward array, which has to be converted first.
    """
    refuse_awkward(x, "arithmetic")
    return isinstance(
        x, FlatArray | RaggedArray | RecordArray | jax.Array | np.ndarray | np.generic | bool | int | float | complex
    )


@owner
def apply(function: Callable[..., Any], *arrays: Any, operation: str | None = None) -> Any:
    """Apply an elementwise JAX function to broadcast arrays.

    Parameters
    ----------
    function
        A function of arrays of equal shape that works item by item, such as ``jnp.sin`` or a user's own.
    *arrays
        Ragged arrays, flat arrays, scalars.
    operation
        Name for error messages; the function's name by default.

    Returns
    -------
    RaggedArray, FlatArray or jax.Array
        Of the common structure (a tuple of them when the function returns a tuple); a plain array for a number.

    Raises
    ------
    StructureError
        When the rows do not fit ("cannot broadcast 5 rows with 7").
    TypeError
        When an argument is an array of records: arithmetic is defined on its fields.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0], [], [3.0]])
    >>> rg.to_list(rg.apply(jnp.hypot, x, 0.0))
    [[1.0, 2.0], [], [3.0]]
    """
    name = str(operation or getattr(function, "__name__", "apply"))
    for x in arrays:
        _refuse_records(x, name)
    if any(isinstance(x, RaggedArray) for x in arrays):
        return _apply(function, arrays, None, name)
    arrays = tuple(plain(x) for x in arrays)
    rows = Rows(0, None)
    contents: Sequence[Any] = arrays
    if not any(isinstance(x, FlatArray) for x in arrays):
        _refuse_other_rows(arrays, name)
    else:
        rows, contents = _selected(function, arrays, name)
    result = function(*_guarded(contents, rows.valid))
    if isinstance(result, tuple | list):
        return tuple(with_length(part, rows.length) for part in result)
    return with_length(result, rows.length)


def _guarded(contents: Sequence[Any], valid: jax.Array | None) -> list[Any]:
    """Return arrays through whose unused end no derivative flows."""
    axes = max((np.ndim(x) for x in contents), default=0)
    return [guard(x, valid, max(axes, 1)) for x in contents]


def _refuse_other_rows(arrays: Sequence[Any], operation: str) -> None:
    """Refuse arrays with different numbers of rows, before JAX does with the names of shapes."""
    axes = max((np.ndim(x) for x in arrays), default=0)
    counts = [np.shape(x)[0] for x in arrays if axes and np.ndim(x) == axes and np.shape(x)[0] != 1]
    if len(set(counts)) > 1:
        raise StructureError(f"{operation}: cannot broadcast {counts[0]} rows with {min(set(counts) - {counts[0]})}")


def _refuse_records(x: Any, operation: str) -> None:
    if isinstance(x, RecordArray):
        raise TypeError(f"{operation}: works on numbers, not on records; pick one of the fields {x.fields}")


def _selected(function: Callable[..., Any], arrays: Sequence[Any], operation: str) -> tuple[Rows, list[Any]]:
    """Return the common rows of flat arrays, of which data decides the number, and the content of each."""
    if function in _CONTRACTIONS:
        raise TypeError(f"{operation}: adds up selected rows inside jit; write rg.sum(a * b, axis=...)")
    axes = max(np.ndim(content_of(x)) for x in arrays)
    for x in arrays:
        if has_rows(x) and length_of(x) is not None and x.ndim != axes:
            raise TypeError(
                f"{operation}: selected rows inside jit combine with arrays of as many axes, not with {axes}; add the "
                "missing axis with x[:, np.newaxis]"
            )
    # as in NumPy, an array with fewer axes is repeated for every row
    whole = [x if np.ndim(content_of(x)) == axes else None for x in arrays]
    rows, contents = brought_together([0 if x is None else x for x in whole], operation=operation)
    return rows, [x if part is None else new for x, part, new in zip(arrays, whole, contents, strict=True)]


# functions that mix rows, so that what stands behind the real ones would matter
_CONTRACTIONS = (jnp.matmul, jnp.vecdot, jnp.matvec, jnp.vecmat)


def _apply(function: Callable[..., Any], arrays: Sequence[Any], valid: jax.Array | None, operation: str) -> Any:
    for x in arrays:
        _refuse_records(x, operation)
    if not any(isinstance(x, RaggedArray) for x in arrays):
        # one value for each item, also where the items of another array have axes of their own
        axes = max(np.ndim(x) for x in arrays)
        arrays = [x.reshape(x.shape + (1,) * (axes - x.ndim)) if 0 < np.ndim(x) < axes else x for x in arrays]
        return function(*_guarded(arrays, valid))
    first, contents = align(arrays, operation=operation)
    result = _apply(function, contents, first.valid, operation)
    if isinstance(result, tuple | list):
        return tuple(first.with_content(part) for part in result)
    return first.with_content(result)


def align(arrays: Sequence[Any], *, operation: str) -> tuple[RaggedArray, list[Any]]:
    """Bring arguments, of which at least one is ragged, to common rows; return these rows and each one's content.

    Arrays are ragged, flat with one value per row, or scalars. Raises `StructureError` when the rows do not fit.
    """
    arrays = [settle(x) for x in arrays]
    lists = [x for x in arrays if isinstance(x, RaggedArray)]
    given = [rows_of(x) for x in lists] + [rows_of(x) for x in arrays if is_per_row(x)]
    common, offsets = common_rows(given, operation=operation, offsets=lists[0].offsets)
    if offsets is not lists[0].offsets:
        tied = dataclasses.replace(lists[0], offsets=offsets)
        arrays = [tied if x is lists[0] else x for x in arrays]
    if common.length is not None:
        arrays = [cut(x, common) if isinstance(x, RaggedArray) or is_per_row(x) else x for x in arrays]
    first, *others = (x for x in arrays if isinstance(x, RaggedArray))
    offsets = first.offsets
    for other in others:
        offsets = check_same_offsets(offsets, other.offsets, operation=operation)
    rows = first
    if offsets is not first.offsets or common.length is not first.length:
        rows = dataclasses.replace(first, offsets=offsets, length=common.length)
    return rows, [into_rows(x, rows, operation=operation) for x in arrays]


def into_rows(x: Any, rows: RaggedArray, *, operation: str) -> Any:
    """Return the content of ``x`` laid out like the items of ``rows``.

    A ragged array is known to have the same rows; a value per row is repeated along the row; a scalar stays one. Raises
    `StructureError` when ``x`` has another number of rows.
    """
    if isinstance(x, RaggedArray):
        return fit(x.content, rows.capacity)
    if isinstance(x, RecordArray):
        return RecordArray({k: into_rows(v, rows, operation=operation) for k, v in x.columns.items()})
    x = content_of(x)
    if np.ndim(x) == 0:
        return x
    x = jnp.asarray(x)
    if x.shape[0] == 1 and rows.rows != 1:
        return x[0] if x.ndim == 1 else into_rows(jnp.repeat(x, rows.rows, axis=0), rows, operation=operation)
    if x.shape[0] != rows.rows:
        raise StructureError(f"{operation}: cannot broadcast {rows.rows} rows with {x.shape[0]}")
    if x.ndim == 1:
        return repeat_rows(x, rows)
    if x.shape[1] == 1:
        return repeat_rows(x[:, 0], rows)
    # a regular dimension fits only rows that all have its length
    regular = jnp.arange(rows.rows + 1, dtype=jnp.int32) * x.shape[1]
    check_same_offsets(rows.offsets, regular, operation=operation)
    return fit(x.reshape((-1, *x.shape[2:])), rows.capacity)


def repeat_rows(x: jax.Array, rows: RaggedArray) -> jax.Array:
    """Return one value per row, shape (rows, ...), repeated for every item of the row, shape (capacity, ...)."""
    if rows.rows == 0:
        return jnp.zeros((rows.capacity, *x.shape[1:]), x.dtype)
    longest = bound(rows)
    long = None if longest is None or longest <= LONG else longest
    return _repeat(x, rows.row_ids, rows.offsets, long=long, exact=rows.exact)


@partial(jax.jit, static_argnames=("long", "exact"))
def _repeat(x: jax.Array, row_ids: jax.Array, offsets: jax.Array, *, long: int | None, exact: bool) -> jax.Array:
    items = spread_to_items(x, row_ids, offsets, long, in_bounds=exact)
    return items if exact else guard(items, jnp.arange(row_ids.shape[0], dtype=jnp.int32) < offsets[-1])


# NumPy's names for what JAX calls differently, and ufuncs whose JAX twin has another signature
_RENAMED = {"divide": "true_divide", "conjugate": "conj", "absolute": "abs"}


@owner
def apply_numpy_ufunc(ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Apply the JAX twin of a NumPy ufunc: what ``np.sin(x)`` does for a ragged ``x``.

    Raises `TypeError` when JAX has no such function, or for ``ufunc.reduce`` and other methods, ``out=`` and
    ``where=``.
    """
    if method != "__call__" or kwargs:
        asked = f"np.{ufunc.__name__}.{method}" if method != "__call__" else f"np.{ufunc.__name__}(..., {list(kwargs)})"
        raise TypeError(f"{asked} is not supported for ragged arrays; use the reducers of hepgrad.ragged")
    if not all(is_operand(x) for x in inputs):
        return NotImplemented
    function = getattr(jnp, _RENAMED.get(ufunc.__name__, ufunc.__name__), None)
    if function is None:
        raise TypeError(f"np.{ufunc.__name__} has no equivalent in JAX, so it cannot be applied to a ragged array")
    return apply(function, *inputs, operation=f"np.{ufunc.__name__}")
