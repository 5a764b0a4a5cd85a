"""Cut and lengthen buffers: chosen capacities, and rows that are not real."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .array import Content, RaggedArray, RecordArray, content_length, content_of, with_length
from .errors import check_capacity
from .flat import FlatArray, head_of
from .slicing.gather import constant, host, take_rows
from .tracing import concrete
from .unused import guard


def with_capacity(array: RaggedArray, capacity: int) -> RaggedArray:
    """Return the same rows in a buffer with room for ``capacity`` items.

    Parameters
    ----------
    array
        Rows of any depth; the capacity of inner levels stays.
    capacity
        The length of the new buffer.

    Raises
    ------
    CapacityError
        When the items do not fit (inside ``jit`` from the running program).

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.with_capacity(rg.from_lists([[1.0, 2.0], [3.0]]), 5).content
    Array([1., 2., 3., 3., 3.], dtype=float32)
    """
    if capacity == array.capacity:
        return array
    offsets = array.offsets
    if capacity < array.capacity:
        offsets = check_capacity(offsets, needed=array.size, capacity=capacity, operation="with_capacity")
        ids = array.row_ids[:capacity]
    else:
        ids = jnp.pad(array.row_ids, (0, capacity - array.capacity), constant_values=array.rows)
    return RaggedArray(offsets, ids, fit(array.content, capacity), array.length, array.max_length, False)


def fit(content: Content, capacity: int) -> Content:
    """Return content with its buffer cut or lengthened to ``capacity`` items; the data must fit."""
    if content_length(content) == capacity:
        return content
    if isinstance(content, RecordArray):
        return RecordArray({k: fit(v, capacity) for k, v in content.columns.items()})
    if isinstance(content, RaggedArray):
        missing = capacity - content.rows
        offsets = content.offsets[: capacity + 1] if missing < 0 else jnp.pad(content.offsets, (0, missing), "edge")
        ids = jnp.where(content.row_ids >= content.rows, capacity, content.row_ids) if missing > 0 else content.row_ids
        return RaggedArray(offsets, ids, content.content, None, content.max_length, content.exact)
    if capacity < content.shape[0]:
        return content[:capacity]
    widths = [(0, capacity - content.shape[0])] + [(0, 0)] * (content.ndim - 1)
    return jnp.pad(content, widths, mode="edge" if content.shape[0] else "constant")


def first_rows(array: RaggedArray, count: Any, rows: int) -> RaggedArray:
    """Return the first rows in the buffers as they are.

    ``count`` rows are to stay (it may be traced); those from there to ``rows``, the static number of rows of the
    result, become empty. The array has no ``length``.
    """
    known, offsets = concrete(count), concrete(array.offsets)
    if known is not None and offsets is not None:
        offsets = np.minimum(offsets[: rows + 1], offsets[known])
        return _exact(array, offsets)
    size = array.offsets[count]
    ids = jnp.where(jnp.arange(array.capacity, dtype=jnp.int32) < size, array.row_ids, rows)
    new = jnp.minimum(array.offsets[: rows + 1], size)
    return RaggedArray(new, ids, blank_tail(array.content, size), None, array.max_length, False)


def _exact(array: RaggedArray, offsets: np.ndarray) -> RaggedArray:
    size = int(offsets[-1])
    ids = concrete(array.row_ids)
    row_ids = constant(ids[:size]) if ids is not None else array.row_ids[:size]
    longest = int(np.diff(offsets).max(initial=0))
    return RaggedArray(constant(offsets), row_ids, head(array.content, size), None, longest, True)


def middle_rows(array: RaggedArray, start: int, stop: int) -> RaggedArray:
    """Return rows that follow each other.

    From ``start`` to before ``stop``, which are static; the array has no ``length``.
    """
    known, ids = concrete(array.offsets), concrete(array.row_ids)
    if known is not None and ids is not None:
        low, high = int(known[start]), int(known[stop])
        offsets = known[start : stop + 1] - known[start]
        longest = int(np.diff(offsets).max(initial=0))
        content = _part(array.content, low, high)
        return RaggedArray(constant(offsets), constant(ids[low:high] - start), content, None, longest, True)
    rows = stop - start
    begin = array.offsets[start]
    shifted = array.offsets[start : stop + 1] - begin
    room = array.capacity if array.max_length is None else min(array.capacity, array.max_length * rows)
    places = jnp.arange(room, dtype=jnp.int32)
    valid = places < shifted[-1]
    row_ids = jnp.where(valid, _shifted(array.row_ids, begin, room) - start, rows)
    return RaggedArray(shifted, row_ids, _shift(array.content, begin, room, valid), None, array.max_length, False)


def _part(content: Content, low: int, high: int) -> Content:
    if isinstance(content, RecordArray):
        return RecordArray({k: _part(v, low, high) for k, v in content.columns.items()})
    if isinstance(content, RaggedArray):
        return middle_rows(content, low, high)
    values = host(content)
    return content[low:high] if values is None else constant(values[low:high])


def _shift(content: Content, low: jax.Array, room: int, valid: jax.Array) -> Content:
    if isinstance(content, RecordArray):
        return RecordArray({k: _shift(v, low, room, valid) for k, v in content.columns.items()})
    if isinstance(content, RaggedArray):
        places = low + jnp.arange(room, dtype=jnp.int32)
        return take_rows(content, places, valid=valid, repeats=1, operation="x[a:b]")
    return guard(_shifted(content, low, room), valid)


def _shifted(x: jax.Array, low: jax.Array, room: int) -> jax.Array:
    """Return ``room`` items from ``low`` on; what lies behind the end is zero."""
    # a slice of memory is several times faster than a gather, but must not run over the end
    longer = jnp.pad(x, [(0, room)] + [(0, 0)] * (x.ndim - 1))
    return jax.lax.dynamic_slice_in_dim(longer, low, room)


def head(content: Content, count: int) -> Content:
    """Return the first items of content, exactly."""
    if isinstance(content, RecordArray):
        return RecordArray({k: head(v, count) for k, v in content.columns.items()})
    if isinstance(content, RaggedArray):
        offsets = concrete(content.offsets)
        return first_rows(content, count, count) if offsets is None else _exact(content, offsets[: count + 1])
    return head_of(content, count)


def blank_tail(content: Content, size: jax.Array) -> Content:
    """Return content that ends at ``size``: no gradient flows from behind it, and the lists there are empty."""
    if isinstance(content, RecordArray):
        return RecordArray({k: blank_tail(v, size) for k, v in content.columns.items()})
    if isinstance(content, RaggedArray):
        return first_rows(content, size, content.rows)
    return guard(content, jnp.arange(content.shape[0], dtype=jnp.int32) < size)


def settle(array: Any) -> Any:
    """Return an array without the rows that are not real, where their number is known (outside ``jit``)."""
    length = getattr(array, "length", None) if isinstance(array, FlatArray | RaggedArray | RecordArray) else None
    if length is None:
        return array
    count = concrete(length)
    if count is None:
        return array
    if isinstance(array, RaggedArray):
        return first_rows(dataclasses.replace(array, length=None), int(count), int(count))
    return with_length(head(content_of(array), int(count)), None)
