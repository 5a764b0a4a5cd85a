"""Indices that work inside each row: ``x[:, i]``, ``x[:, a:b:s]``, ``x[:, [i, j]]`` and deeper."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..array import Content, RaggedArray, RecordArray, content_length, content_of
from ..flat import FlatArray
from ..functions.applying import repeat_rows
from ..rows import rows_of
from ..tracing import concrete
from .gather import constant, rows_from_counts, take
from .integers import known_all, wrap_index
from .row_slices import is_static, slice_bounds, slice_limit, takes_all

_ALL = slice(None)


def each(content: Content, items: tuple[Any, ...], live: Any) -> Content:
    """Apply the parts of an index inside each row.

    There is one part per list level. Rows from ``live`` on (int32 scalar; None for all) are not real, and not checked.
    Raises `IndexError` when a row is too short, or there are more parts than list levels.
    """
    if not items:
        return content
    if isinstance(content, RecordArray):
        return RecordArray({k: each(v, items, live) for k, v in content.columns.items()})
    if not isinstance(content, RaggedArray):
        if sum(item is not None for item in items) >= content.ndim:
            raise IndexError(f"too many indices: {len(items)} more than there are list levels")
        if any(isinstance(item, RaggedArray) for item in items):
            raise IndexError("a ragged index cannot follow others; use two pairs of brackets")
        if not all(is_static(item) for item in items if isinstance(item, slice)):
            raise TypeError(
                "a slice with traced bounds takes rows and items of rows, not a part of a regular dimension"
            )
        return content[(_ALL, *items)]
    head, rest = items[0], items[1:]
    if head is None:
        return _one_each(each(content, rest, live), live)
    if isinstance(head, slice):
        part = content if takes_all(head) else _slice_each(content, head)
        return part.with_content(each(part.content, rest, None if part.exact else part.size))
    if isinstance(head, RaggedArray):
        raise IndexError("a ragged index cannot follow others; use two pairs of brackets")
    if head.dtype == bool:
        raise TypeError("x[:, mask]: a mask inside rows must be a ragged array with the same rows: x[mask]")
    if head.ndim == 0:
        items_at = pick(content, np.arange(content.rows, dtype=np.int32), head, live=live)
        return each(items_at, rest, live)
    if rest and isinstance(rest[0], np.ndarray | jax.Array) and rest[0].ndim == 1:
        raise TypeError("two arrays of integers inside rows are not supported; use two pairs of brackets")
    n, width = content.rows, len(head)
    rows, known = np.repeat(np.arange(n, dtype=np.int32), width), concrete(head)
    picked = pick(content, rows, jnp.tile(head, n) if known is None else np.tile(known, n), live=live)
    result = content_of(regular(n, width, live))
    return result.with_content(each(picked, rest, None if live is None else live * width))


def regular(rows: int, width: int, live: Any, content: Content | None = None) -> RaggedArray:
    """Return lists of ``width`` items in the rows that are real (``live``; None for all), and empty ones behind."""
    bounds, ids = np.arange(rows + 1, dtype=np.int32), np.repeat(np.arange(rows, dtype=np.int32), width)
    if live is None:
        held = constant(ids)
        return RaggedArray(constant(bounds * width), held, held if content is None else content, None, width, True)
    real = jnp.where(ids < live, ids, rows)
    offsets = jnp.minimum(bounds, live) * width
    return RaggedArray(offsets, real, real if content is None else content, live, width, False)


def as_lists(x: Any) -> Any:
    """Return rows of a regular dimension, such as ``keepdims=True`` leaves, as lists; anything else unchanged."""
    if not isinstance(x, FlatArray) or x.ndim < 2:
        return x
    rows, content = rows_of(x), x.content
    items = FlatArray(content.reshape(-1, *content.shape[2:]))
    return regular(rows.count, content.shape[1], rows.length, content_of(as_lists(items)))


def pick(array: RaggedArray, rows: Any, places: Any, *, live: Any = None) -> Content:
    """Return one item of each of the given rows.

    ``rows`` (integers from 0) have shape (n,), ``places`` (negative from the end) shape (n,) or (). Rows from ``live``
    on are not real: their items become zeros; None for all real. Raises `IndexError` when a row is too short; the
    message names the row.
    """
    valid = None if live is None else rows < live
    if array.capacity == 0:
        # nothing to take from: either nothing is asked for, or every request is out of range
        counts: Any = np.zeros(len(rows), np.int32)
        items = wrap_index(places + 0 * rows, counts, rows, valid=valid, operation="x[:, i]")
    elif (known := concrete(array.offsets)) is not None and known_all(rows, places, valid):
        counts = np.diff(known)[rows]
        items = known[rows] + wrap_index(places, counts, rows, valid=valid, operation="x[:, i]")
    else:
        start = array.offsets[rows]
        counts = array.offsets[rows + 1] - start
        items = start + wrap_index(places, counts, rows, valid=valid, operation="x[:, i]")
    given = concrete(rows)
    repeats = None if given is None else int(np.bincount(given, minlength=1).max(initial=0))
    items = np.maximum(items, 0) if isinstance(items, np.ndarray) else jnp.maximum(items, 0)
    result = take(array.content, items, valid=valid, repeats=repeats, operation="x[:, i]")
    return result if valid is None else _zero_behind(result, valid)


def _zero_behind(content: Content, valid: Any) -> Content:
    """Return content with zeros where there is no row; lists there are empty already."""
    if isinstance(content, RecordArray):
        return RecordArray({k: _zero_behind(v, valid) for k, v in content.columns.items()})
    if isinstance(content, RaggedArray):
        return content
    return jnp.where(jnp.reshape(valid, (-1,) + (1,) * (content.ndim - 1)), content, jnp.zeros((), content.dtype))


def reverse_each(array: RaggedArray) -> RaggedArray:
    """Return ``array[:, ::-1]``: the same rows with their items in the opposite order."""
    known = concrete(array.offsets)
    if known is not None and (ids := concrete(array.row_ids)) is not None:
        size = int(known[-1])
        index: Any = (known[:-1] + known[1:] - 1).take(ids[:size]) - np.arange(size, dtype=np.int32)
        if size < array.capacity:
            index = np.concatenate([index, np.arange(size, array.capacity, dtype=np.int32)])
    else:
        index = _mirrored(array)
    content = take(array.content, index, valid=array.valid, repeats=1, operation="x[:, ::-1]")
    return array.with_content(content)


@jax.jit
def _mirrored(array: RaggedArray) -> jax.Array:
    places = jnp.arange(array.capacity, dtype=jnp.int32)
    mirror = repeat_rows(array.offsets[:-1] + array.offsets[1:] - 1, array) - places
    return mirror if array.exact else jnp.where(places < array.size, mirror, places)


def _slice_each(array: RaggedArray, part: slice) -> RaggedArray:
    if part.start is None and part.stop is None and part.step == -1:
        return reverse_each(array)
    known = concrete(array.offsets)
    counts: Any = array.row_lengths if known is None else np.diff(known)
    start, length, step = slice_bounds(part, counts)
    limit = slice_limit(part, array.max_length)
    room = array.capacity if limit is None else min(array.capacity, limit * array.rows)
    rows = rows_from_counts(length, capacity=room, max_length=limit, certain=True, operation="x[:, a:b:s]")
    ids, places = concrete(rows.row_ids), concrete(rows.content)
    if known is not None and ids is not None and places is not None:
        index: Any = (known[:-1] + start).astype(np.int32).take(ids) + np.int32(step) * places
    else:
        # where a row would begin if its items were counted from the beginning of the buffer
        first = array.offsets[:-1] + start - step * rows.offsets[:-1]
        index = repeat_rows(first, rows) + step * jnp.arange(rows.capacity, dtype=jnp.int32)
    content = take(array.content, index, valid=rows.valid, repeats=1, operation="x[:, a:b:s]")
    return dataclasses.replace(rows, content=content, length=array.length)


def _one_each(content: Content, live: Any) -> Content:
    """Put each row into a list of its own: ``x[:, np.newaxis]``."""
    return content_of(regular(content_length(content), 1, live, content))
