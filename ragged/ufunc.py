"""Elementwise functions of ragged arrays, with Awkward's broadcasting.

Rows broadcast against rows of the same lengths; one value per row (a flat array as long as the rows) and a regular
dimension of length 1 (what ``keepdims=True`` leaves) are repeated along the row; scalars go everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .array import RaggedArray, RecordArray, guard
from .errors import StructureError, check_same_offsets
from .foreign import refuse_awkward
from .reduce.segments import bound
from .resize import fit, settle
from .sums import LONG, spread_to_items


def is_operand(x: Any) -> bool:
    """Return whether elementwise functions accept ``x``: numbers, arrays, ragged arrays, lists of numbers.

    Raises
    ------
    TypeError
        For an Awkward array, which has to be converted first.
    """
    refuse_awkward(x, "arithmetic")
    return isinstance(x, RaggedArray | RecordArray | jax.Array | np.ndarray | np.generic | bool | int | float | complex)


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
    RaggedArray or jax.Array
        Of the common structure (a tuple of them when the function returns a tuple).

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
    name = operation or getattr(function, "__name__", "apply")
    return _apply(function, arrays, None, str(name))


def _apply(function: Callable[..., Any], arrays: Sequence[Any], valid: jax.Array | None, operation: str) -> Any:
    for x in arrays:
        if isinstance(x, RecordArray):
            raise TypeError(f"{operation}: works on numbers, not on records; pick one of the fields {x.fields}")
    if not any(isinstance(x, RaggedArray) for x in arrays):
        return function(*(guard(x, valid) for x in arrays))
    first, contents = align(arrays, operation=operation)
    result = _apply(function, contents, first.valid, operation)
    if isinstance(result, tuple):
        return tuple(first.with_content(part) for part in result)
    return first.with_content(result)


def align(arrays: Sequence[Any], *, operation: str) -> tuple[RaggedArray, list[Any]]:
    """Bring arguments, of which at least one is ragged, to common rows; return these rows and each one's content.

    Parameters
    ----------
    arrays
        Ragged arrays, flat arrays with one value per row, scalars.
    operation
        Name for error messages.

    Raises
    ------
    StructureError
        When the rows do not fit.
    """
    arrays = [settle(x) if isinstance(x, RaggedArray) else x for x in arrays]
    ragged = [x for x in arrays if isinstance(x, RaggedArray)]
    first = ragged[0]
    offsets = first.offsets
    for other in ragged[1:]:
        offsets = check_same_offsets(offsets, other.offsets, operation=operation)
    rows = RaggedArray(offsets, first.row_ids, first.content, first.length, first.max_length, first.exact)
    return rows, [into_rows(x, rows, operation=operation) for x in arrays]


def into_rows(x: Any, rows: RaggedArray, *, operation: str) -> Any:
    """Return the content of ``x`` laid out like the items of ``rows``.

    A ragged array is known to have the same rows; a value per row is repeated along the row; a scalar stays one.

    Parameters
    ----------
    x
        Argument of an elementwise function.
    rows
        The array that says how the items lie.
    operation
        Name for error messages.

    Raises
    ------
    StructureError
        When ``x`` has another number of rows.
    """
    if isinstance(x, RaggedArray):
        return fit(x.content, rows.capacity)
    if isinstance(x, RecordArray):
        return RecordArray({k: into_rows(v, rows, operation=operation) for k, v in x.columns.items()})
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
    """Return one value per row repeated for every item of the row, shape (capacity, ...).

    Parameters
    ----------
    x
        Shape (rows, ...).
    rows
        The array that says how many items each row has.
    """
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


def apply_numpy_ufunc(ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Apply the JAX twin of a NumPy ufunc: what ``np.sin(x)`` does for a ragged ``x``.

    Raises
    ------
    TypeError
        When JAX has no such function, or for ``ufunc.reduce`` and other methods, ``out=`` and ``where=``.
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
