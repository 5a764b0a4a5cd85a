"""Integer indices: negative ones count from the end, and those out of range are an error."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..array import RaggedArray
from ..errors import checked, concrete


def wrap_index(index: Any, counts: Any, rows: Any, *, valid: Any = None, operation: str) -> Any:
    """Return positions in rows as numbers from 0; NumPy where everything is known.

    Parameters
    ----------
    index
        Integers, shape (n,) or (): positions, negative from the end.
    counts
        Integers, shape (n,) or (): the length of the row that each one points into.
    rows
        Integers, shape (n,) or (): the row, for the message.
    valid
        bool, shape (n,): which of them matter; None for all. The others may be anything.
    operation
        Name for the message.

    Raises
    ------
    IndexError
        For a position outside its row (inside ``jit`` from the running program).
    """

    def fail(index: np.ndarray, counts: np.ndarray, rows: np.ndarray, bad: np.ndarray) -> None:
        index, counts, rows, bad = (np.ravel(part) for part in np.broadcast_arrays(index, counts, rows, bad))
        i = int(np.argmax(bad))
        raise IndexError(
            f"{operation}: index {int(index[i])} is out of range for row {int(rows[i])}, "
            f"which has {int(counts[i])} items"
        )

    parts = [None if part is None else concrete(part) for part in (index, counts, rows, valid)]
    if all(part is not None for part in parts[:3]) and (valid is None or parts[3] is not None):
        index, counts, rows, valid = parts
        bad = (index < -counts) | (index >= counts)
        bad = bad if valid is None else bad & valid
        if bad.any():
            fail(index, counts, rows, bad)
        return np.where(index < 0, index + counts, index).astype(np.int32)
    index, counts, rows = _as_int32(index), jnp.asarray(counts, jnp.int32), jnp.asarray(rows, jnp.int32)
    bad = (index < -counts) | (index >= counts)
    bad = bad if valid is None else bad & valid
    wrapped = jnp.where(index < 0, index + counts, index)
    return checked(wrapped, jnp.any(bad), (index, counts, rows, bad), fail)


def wrap_rows(array: RaggedArray, index: Any) -> Any:
    """Return an index of rows as numbers from 0.

    Parameters
    ----------
    array
        The array whose rows are meant (only the real ones, if it has a ``length``).
    index
        Integers, shape (n,) or ().

    Raises
    ------
    IndexError
        For a row that is not there.
    """

    def fail(index: np.ndarray, count: np.ndarray) -> None:
        bad = np.ravel(index)[np.ravel((index < -count) | (index >= count))]
        raise IndexError(f"index {int(bad[0])} is out of range for an array with {int(count)} rows")

    count: Any = np.asarray(array.rows) if array.length is None else array.length
    known, known_count = concrete(index), concrete(count)
    if known is not None and known_count is not None:
        if np.any((known < -known_count) | (known >= known_count)):
            fail(known, known_count)
        return np.where(known < 0, known + known_count, known).astype(np.int32)
    index = _as_int32(index)
    wrapped = jnp.where(index < 0, index + count, index)
    failed = jnp.any((index < -count) | (index >= count))
    return checked(wrapped, failed, (index, jnp.asarray(count)), fail)


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
