"""Integer indices: negative ones count from the end, and those out of range are an error."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..checks.check import check
from ..rows import Rows
from ..tracing import concrete


def wrap_index(index: Any, counts: Any, rows: Any, *, valid: Any = None, operation: str) -> Any:
    """Return positions in rows as numbers from 0; NumPy where everything is known.

    ``index`` (negative from the end), ``counts``, the length of the row that each one points into, and ``rows``, for
    the message, are integers of shape (n,) or (). ``valid`` (bool, shape (n,); None for all) tells which of them
    matter; the others may be anything. Raises `IndexError` for a position outside its row (inside ``jit`` from the
    running program).
    """

    def fail(index: int, count: int, row: int) -> None:
        raise IndexError(f"{operation}: index {index} is out of range for row {row}, which has {count} items")

    parts = [None if part is None else concrete(part) for part in (index, counts, rows, valid)]
    if all(part is not None for part in parts[:3]) and (valid is None or parts[3] is not None):
        index, counts, rows, valid = parts
        bad = (index < -counts) | (index >= counts)
        bad = bad if valid is None else bad & valid
        if bad.any():
            fail(*map(int, _first_bad(index, counts, rows, bad)))
        return np.where(index < 0, index + counts, index).astype(np.int32)
    index, counts, rows = _as_int32(index), jnp.asarray(counts, jnp.int32), jnp.asarray(rows, jnp.int32)
    bad = (index < -counts) | (index >= counts)
    bad = bad if valid is None else bad & valid
    wrapped = jnp.where(index < 0, index + counts, index)
    return check(wrapped, jnp.any(bad), (index, counts, rows, bad), fail, summary=_first_bad)


def _first_bad(index: Any, counts: Any, rows: Any, bad: Any) -> tuple[Any, Any, Any]:
    """Return the first position that is outside its row, the row's length, and the row."""
    shape = np.broadcast_shapes(index.shape, counts.shape, rows.shape, bad.shape)
    xp = np if isinstance(bad, np.ndarray | np.generic) else jnp
    index, counts, rows, bad = (xp.broadcast_to(part, shape).ravel() for part in (index, counts, rows, bad))
    first = bad.argmax()
    return index[first], counts[first], rows[first]


def _first_row(index: Any, count: Any, bad: Any) -> tuple[Any, Any]:
    """Return the first row number that is out of range, and the number of rows."""
    return index.ravel()[bad.ravel().argmax()], count


def wrap_rows(rows: Rows, index: Any, *, valid: Any = None) -> Any:
    """Return an index of rows as numbers from 0.

    Those that are not ``valid`` (bool, shape (n,); None for all) become row 0. Raises `IndexError` for a row that is
    not there.
    """

    def fail(index: int, count: int) -> None:
        raise IndexError(f"index {index} is out of range for an array with {count} rows")

    known, known_count = concrete(index), concrete(rows.number)
    if known is not None and known_count is not None and valid is None:
        outside = (known < -known_count) | (known >= known_count)
        if np.any(outside):
            fail(int(known[outside].ravel()[0]), int(known_count))
        return np.where(known < 0, known + known_count, known).astype(np.int32)
    index, count = _as_int32(index), jnp.asarray(rows.number, jnp.int32)
    if valid is not None:
        # an array without rows has no row 0 either
        index = jnp.where(valid, index, jnp.where(count > 0, 0, index))
    bad = (index < -count) | (index >= count)
    bad = bad if valid is None else bad & valid
    wrapped = jnp.where(index < 0, index + count, index)
    return check(wrapped, jnp.any(bad), (index, count, bad), fail, summary=_first_row)


def _as_int32(index: Any) -> jax.Array:
    """Return integers in 32 bits; those that do not fit, which are out of range anyway, stay out of range."""
    index = jnp.asarray(index)
    limits = np.iinfo(jnp.int32)
    if np.iinfo(index.dtype).max > limits.max:
        # one above the least, whose negative is no number of 32 bits
        low = 0 if jnp.issubdtype(index.dtype, jnp.unsignedinteger) else limits.min + 1
        index = jnp.clip(index, jnp.asarray(low, index.dtype), jnp.asarray(limits.max, index.dtype))
    return index.astype(jnp.int32)


def known_all(*arrays: jax.Array | np.ndarray | None) -> bool:
    """Return whether the values of all arrays are known."""
    return all(array is None or concrete(array) is not None for array in arrays)
