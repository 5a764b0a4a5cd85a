"""Slices of rows, ``x[a:b:s]``, and the sizes that any slice can have.

The bounds of a slice are Python's integers or, where only the running program knows them, traced int32 scalars; its
step is always known.
"""

from __future__ import annotations

import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..array import Content, RaggedArray, RecordArray
from ..resize import first_rows, middle_rows
from ..structure.blocks import reversed_rows
from ..tracing import concrete
from .gather import constant, host, take_rows

_MANY = np.iinfo(np.int32).max


def standard_slice(part: slice) -> slice:
    """Return a slice whose bounds are integers or traced int32 scalars, and whose step is an integer or None.

    Raises `TypeError` for other numbers, and for a step that is traced.
    """
    if part.step is not None and concrete(part.step) is None:
        raise TypeError("x[a:b:step]: inside jit the step has to be a Python integer; the bounds may be traced")
    step = None if part.step is None else operator.index(part.step)
    return slice(_bound(part.start), _bound(part.stop), step)


def _bound(given: Any) -> Any:
    if given is None:
        return None
    if isinstance(given, int) or concrete(given) is not None:
        return operator.index(given)
    if given.ndim or not jnp.issubdtype(given.dtype, jnp.integer):
        raise TypeError(f"x[a:b]: a bound is one integer; got {given.dtype} of shape {given.shape}")
    return jnp.asarray(given, jnp.int32)


def is_static(part: slice) -> bool:
    """Return whether the bounds of a standard slice are known."""
    return not isinstance(part.start, jax.Array) and not isinstance(part.stop, jax.Array)


def takes_all(part: Any) -> bool:
    """Return whether this is ``:``."""
    return isinstance(part, slice) and part.start is None and part.stop is None and part.step in (None, 1)


def slice_bounds(part: slice, counts: Any) -> tuple[Any, Any, int]:
    """Return where a slice starts, how many items it has, and its step, for rows of the given lengths.

    As ``slice.indices``, item by item, for NumPy and JAX arrays. Raises `ValueError` for a step of zero.
    """
    step = 1 if part.step is None else part.step
    if step == 0:
        raise ValueError("slice step cannot be zero")
    xp: Any = np if is_static(part) and not isinstance(counts, jax.Array) else jnp
    low, high = (0, counts) if step > 0 else (-1, counts - 1)

    def place(given: Any, default: Any) -> Any:
        if given is None:
            return default
        if isinstance(given, int):
            return xp.clip(given + counts if given < 0 else given + 0 * counts, low, high)
        return jnp.clip(jnp.where(given < 0, given + counts, given), low, high)

    first, last = (low, high) if step > 0 else (high, low)
    start, stop = place(part.start, first), place(part.stop, last)
    length = (stop - start + step - 1) // step if step > 0 else (start - stop - step - 1) // -step
    return start + 0 * counts, xp.maximum(length, 0), step


def slice_limit(part: slice, longest: int | None) -> int | None:
    """Return a static bound on the number of items that a slice leaves in a row; None when there is none."""
    start, stop, step = part.start, part.stop, 1 if part.step is None else part.step
    limit = _MANY if longest is None else longest
    if not is_static(part):
        # such bounds say nothing, only the step does
        start = stop = None
    if step > 0:
        if stop is not None and stop >= 0:
            limit = min(limit, stop if start is None or start < 0 else max(stop - start, 0))
        if start is not None and start < 0:
            limit = min(limit, -start if stop is None or stop >= 0 else max(stop - start, 0))
        if longest is not None and (start is None or start >= 0):
            limit = min(limit, len(range(start or 0, longest if stop is None or stop >= 0 else max(longest + stop, 0))))
    elif start is not None and start >= 0:
        limit = min(limit, start + 1)
    return None if limit == _MANY else -(-limit // abs(step))


def slice_rows(array: Content, part: slice) -> Content:
    """Return ``array[part]``.

    All rows of the array are real; start, stop and step are known while tracing.
    """
    if isinstance(array, RecordArray):
        return RecordArray({k: slice_rows(v, part) for k, v in array.columns.items()})
    if not isinstance(array, RaggedArray):
        values = host(array)
        return array[part] if values is None else constant(values[part])
    rows = array.rows
    if part == slice(None, None, -1) and not _is_known(array):
        return reversed_rows(array)
    start, stop, step = part.indices(rows)
    index = np.arange(start, stop, step, dtype=np.int32)
    if len(index) == rows and step == 1:
        return array
    if start == 0 and step == 1:
        return first_rows(array, len(index), len(index))
    if step == 1 and len(index):
        return middle_rows(array, start, stop)
    return take_rows(array, index, repeats=1, exact=len(index) == rows, operation="x[a:b:s]")


def _is_known(content: Content) -> bool:
    """Return whether the lists of all depths are known, so that NumPy finds their places."""
    if isinstance(content, RecordArray):
        return all(_is_known(column) for column in content.columns.values())
    if isinstance(content, RaggedArray):
        return concrete(content.offsets) is not None and _is_known(content.content)
    return True
