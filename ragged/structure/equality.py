"""Whether two arrays are the same: structure, types and values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..array import RaggedArray, RecordArray, content_of
from ..resize import settle
from ..tracing import concrete
from .lists import num


def array_equal(a: Any, b: Any, *, equal_nan: bool = False, dtype_exact: bool = True) -> Any:
    """Return whether two arrays have the same structure, types and values.

    Parameters
    ----------
    a, b
        Ragged, record or flat arrays. The unused ends of their buffers do not count.
    equal_nan
        Whether NaN equals NaN.
    dtype_exact
        Whether the numbers must have the same type.

    Returns
    -------
    bool or jax.Array
        A boolean scalar inside ``jit``.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.array_equal(rg.from_lists([[1.0, 2.0], []]), rg.from_lists([[1.0, 2.0], []], capacity=8))
    True
    """

    def same(x: jax.Array, y: jax.Array) -> jax.Array:
        equal = x == y
        return equal | ((x != x) & (y != y)) if equal_nan else equal

    return _compared(a, b, same, dtype_exact)


def almost_equal(
    left: Any,
    right: Any,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    equal_nan: bool = False,
    dtype_exact: bool = True,
) -> Any:
    """Return whether two arrays have the same structure and types, and values within a tolerance.

    Parameters
    ----------
    left, right
        Ragged, record or flat arrays. The unused ends of their buffers do not count.
    rtol, atol
        Values agree when ``|left - right| <= atol + rtol |right|``.
    equal_nan
        Whether NaN equals NaN.
    dtype_exact
        Whether the numbers must have the same type.

    Returns
    -------
    bool or jax.Array
        A boolean scalar inside ``jit``.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0], []])
    >>> rg.almost_equal(x, 1.000001 * x)
    True
    """
    close = partial(jnp.isclose, rtol=rtol, atol=atol, equal_nan=equal_nan)
    return _compared(left, right, close, dtype_exact)


def _compared(a: Any, b: Any, same: Callable[..., jax.Array], dtype_exact: bool) -> Any:
    a, b = (settle(x) if isinstance(x, RaggedArray) else x for x in (a, b))
    result = _same(a, b, _rows(a), _rows(b), same, dtype_exact)
    known = concrete(result)
    return result if known is None else bool(known)


def _rows(x: Any) -> Any:
    """Return the number of rows; 1 for a number."""
    return num(x, axis=0) if isinstance(x, RaggedArray | RecordArray) or np.ndim(x) else 1


def _same(a: Any, b: Any, rows: Any, other: Any, same: Callable[..., jax.Array], dtype_exact: bool) -> Any:
    """Compare the first ``rows`` of ``a`` with the first ``other`` of ``b``."""
    if isinstance(a, RecordArray) and isinstance(b, RecordArray):
        if set(a.fields) != set(b.fields):
            return False
        parts = [_same(a.columns[f], b.columns[f], rows, other, same, dtype_exact) for f in a.fields]
        return jnp.all(jnp.stack([jnp.asarray(part) for part in parts]))
    if isinstance(a, RaggedArray) and isinstance(b, RaggedArray):
        n = min(a.rows, b.rows)
        # behind the last row that is real the offsets repeat the size
        lengths = jnp.all(a.offsets[: n + 1] == b.offsets[: n + 1])
        return (rows == other) & lengths & _same(a.content, b.content, a.size, b.size, same, dtype_exact)
    if any(isinstance(x, RaggedArray | RecordArray) for x in (a, b)):
        return False
    x, y = (jnp.asarray(content_of(each)) for each in (a, b))
    if x.ndim != y.ndim or x.shape[1:] != y.shape[1:] or (dtype_exact and x.dtype != y.dtype):
        return False
    with jax.numpy_dtype_promotion("standard"):
        if x.ndim == 0:
            return same(x, y)
        n = min(x.shape[0], y.shape[0])
        equal = same(x[:n], y[:n])
    used = (jnp.arange(n) < rows).reshape((n,) + (1,) * (x.ndim - 1))
    return (rows == other) & jnp.all(equal | ~used)
