"""Rows moved as they are: all of them in the opposite order, or those of several arrays one after the other.

Rows that stay whole lie in blocks that stay whole at every depth, so that where an item goes follows from where its
block goes. That takes gathers and copies only, where lists of new lengths would take running sums over the buffer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..array import Content, RaggedArray, RecordArray, content_length
from ..unused import guard


def reversed_rows(array: RaggedArray) -> RaggedArray:
    """Return ``array[::-1]``: the rows in the opposite order, the items in their rows as they were.

    All of them are real.
    """
    blocks = _Blocks(array.row_ids, array.offsets, array.exact)
    row_ids = _kept(blocks.valid, array.rows - 1 - blocks.of_mirror, array.rows)
    return dataclasses.replace(
        array, offsets=array.size - array.offsets[::-1], row_ids=row_ids, content=_reversed(array.content, blocks)
    )


class _Blocks:
    """The blocks of items that rows occupy at one depth, and where each item comes from when they are reversed.

    Attributes
    ----------
    rows
        int32, shape (capacity,): the row of each item.
    bounds
        int32, shape (rows + 1,): where each row's block begins.
    exact
        Whether all of the buffer is known to be data.
    valid
        bool, shape (capacity,): which places are data; None for all.
    of_mirror
        int32, shape (capacity,): the row whose items each place gets.
    source
        int32, shape (capacity,): the item that each place gets.
    """

    def __init__(self, rows: jax.Array, bounds: jax.Array, exact: bool) -> None:
        self.rows, self.bounds, self.exact = rows, bounds, exact
        places = lax.iota(jnp.int32, rows.shape[0])
        self.valid = None if exact else places < bounds[-1]
        # the buffer backwards: its rows are in the new order, only the items in them are not
        mirror = _kept(self.valid, bounds[-1] - 1 - places, places)
        self.of_mirror = rows[::-1] if exact else _at(rows, mirror)
        self.source = _kept(self.valid, self.of_row(bounds[:-1] + bounds[1:] - 1) - mirror, places)

    def of_row(self, per_row: jax.Array) -> jax.Array:
        """Return a number of the row whose items each place gets."""
        return _at(per_row, self.of_mirror)

    def inside(self, lists: RaggedArray) -> _Blocks:
        """Return the blocks of the items in lists, which are the items of these blocks."""
        exact = self.exact and lists.exact
        return _Blocks(_at(self.rows, lists.row_ids), _at(lists.offsets, self.bounds), exact)


def _reversed(content: Content, blocks: _Blocks) -> Content:
    if isinstance(content, RecordArray):
        columns = {name: _reversed(column, blocks) for name, column in content.columns.items()}
        return dataclasses.replace(content, columns=columns)
    if not isinstance(content, RaggedArray):
        return guard(_at(content, blocks.source), blocks.valid)
    inner = blocks.inside(content)
    # the items of a row begin at (size - end of its old block), and its lists follow each other as they did
    shift = content.size - inner.bounds[1:] - inner.bounds[:-1]
    begins = _kept(blocks.valid, _at(content.offsets, blocks.source) + blocks.of_row(shift), content.size)
    offsets = jnp.append(begins, content.size)
    moved = blocks.bounds[-1] - blocks.bounds[1:] - blocks.bounds[:-1]
    row_ids = _kept(inner.valid, _at(content.row_ids, inner.source) + inner.of_row(moved), content.rows)
    return dataclasses.replace(content, offsets=offsets, row_ids=row_ids, content=_reversed(content.content, inner))


def _at(values: jax.Array, index: jax.Array) -> jax.Array:
    if values.shape[0] == 0:
        return jnp.zeros((index.shape[0], *values.shape[1:]), values.dtype)
    return values.at[index].get(mode="clip", wrap_negative_indices=False)


def _kept(valid: jax.Array | None, items: jax.Array, otherwise: Any) -> jax.Array:
    return items if valid is None else jnp.where(valid, items, otherwise)


def appended_rows(arrays: Sequence[RaggedArray], max_length: int | None) -> RaggedArray:
    """Return the rows of several arrays one after the other.

    They have the same depth, and all rows are real; ``max_length`` is a static bound on the length of a row, if known.
    """
    joined = _appended(arrays, [jnp.asarray(x.rows, jnp.int32) for x in arrays], [x.rows for x in arrays])
    assert isinstance(joined, RaggedArray)
    return dataclasses.replace(joined, max_length=max_length)


def _appended(contents: Sequence[Any], numbers: Sequence[jax.Array], known: Sequence[int | None]) -> Content:
    """Append the first items of contents: ``numbers`` of each, which are ``known`` where buffers have no unused end."""
    if isinstance(contents[0], RecordArray):
        names = contents[0].fields
        columns = {name: _appended([x.columns[name] for x in contents], numbers, known) for name in names}
        return dataclasses.replace(contents[0], columns=columns)
    if not isinstance(contents[0], RaggedArray):
        return _placed(list(contents), numbers, known)
    rows = sum(content_length(x) for x in contents)
    sizes = [x.size for x in contents]
    # without the end of the last row of each, where the next begins
    starts = _placed(_shifted([x.offsets[:-1] for x in contents], sizes), numbers, known, fill=sum(sizes))
    full = [x.capacity if x.exact else None for x in contents]
    ids = [jnp.where(x.row_ids >= x.rows, rows, x.row_ids) for x in contents]
    row_ids = _placed([jnp.minimum(part, rows) for part in _shifted(ids, numbers)], sizes, full, fill=rows)
    inner = _appended([x.content for x in contents], sizes, full)
    limits = [x.max_length for x in contents]
    longest = None if None in limits else max(limit for limit in limits if limit is not None)
    exact = all(x.exact for x in contents)
    return RaggedArray(jnp.append(starts, sum(sizes)), row_ids, inner, None, longest, exact)


def _shifted(parts: Sequence[jax.Array], numbers: Sequence[jax.Array]) -> list[jax.Array]:
    """Return positions that count on from one array to the next."""
    result, before = [], jnp.zeros((), jnp.int32)
    for part, number in zip(parts, numbers, strict=True):
        result.append(part + before)
        before = before + number
    return result


def _placed(
    parts: list[jax.Array], numbers: Sequence[jax.Array], known: Sequence[int | None], *, fill: Any = None
) -> jax.Array:
    """Return the first ``numbers`` of each part, one after the other, and ``fill`` (or anything) behind them."""
    dtype = jnp.result_type(*parts)
    parts = [part.astype(dtype) for part in parts]
    if all(number == part.shape[0] for number, part in zip(known, parts, strict=True)):
        return jnp.concatenate(parts)
    room, used = sum(part.shape[0] for part in parts), sum(numbers)
    result, begin = jnp.zeros((room, *parts[0].shape[1:]), dtype), jnp.zeros((), jnp.int32)
    for part, number in zip(parts, numbers, strict=True):
        # what lies behind the data of a part is overwritten by the next
        real = guard(part, jnp.arange(part.shape[0], dtype=jnp.int32) < number)
        result = lax.dynamic_update_slice_in_dim(result, real, begin, axis=0)
        begin = begin + number
    if fill is None:
        return result
    return jnp.where(jnp.arange(room, dtype=jnp.int32) < used, result, fill)
