"""Ragged indices: booleans for each item, and positions in each row."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..array import Content, RaggedArray, RecordArray
from ..errors import StructureError, check_same_offsets
from ..resize import fit, settle
from ..rows import common_rows, cut, rows_of
from ..running import starts_from_counts
from ..tracing import concrete
from .gather import compact, constant, take
from .integers import wrap_index


def by_ragged(array: RaggedArray, where: RaggedArray) -> RaggedArray:
    """Return ``array[where]`` for a ragged ``where`` with the same rows.

    ``where`` holds booleans in the same rows as the array's items (at any depth), or positions in each row, as many as
    wanted. One position per row may be -1 where the row is empty, as `argmax` says it, and takes nothing there. Raises
    `StructureError` when the rows of a mask are not the array's, `IndexError` for a position outside its row,
    `TypeError` when ``where`` holds neither booleans nor integers.
    """
    array, where = settle(array), settle(where)
    if array.rows != where.rows and array.length is None and where.length is None:
        raise StructureError(f"x[ragged index]: the index has {where.rows} rows, the array has {array.rows}")
    rows, offsets = common_rows([rows_of(array), rows_of(where)], operation="x[ragged index]", offsets=where.offsets)
    tied = dataclasses.replace(where, offsets=offsets)
    inside = _by_ragged(cut(array, rows), cut(tied, rows))
    return dataclasses.replace(inside, length=rows.length)


def _by_ragged(array: RaggedArray, where: RaggedArray) -> RaggedArray:
    if isinstance(where.content, RaggedArray):
        offsets = check_same_offsets(array.offsets, where.offsets, operation="x[ragged index]")
        inner = fit(where.content, array.capacity)
        assert isinstance(inner, RaggedArray)
        return dataclasses.replace(array, offsets=offsets, content=_inner(array.content, inner))
    if isinstance(where.content, RecordArray):
        raise TypeError(f"an index is booleans or integers, not records; pick one of the fields {where.fields}")
    if where.content.dtype == bool:
        return _by_mask(array, where)
    if jnp.issubdtype(where.content.dtype, jnp.integer) or where.capacity == 0:
        return _by_position(array, where)
    raise TypeError(f"an index is booleans or integers, not {where.content.dtype}")


def _inner(content: Content, where: RaggedArray) -> Content:
    if isinstance(content, RecordArray):
        return RecordArray({k: _inner(v, where) for k, v in content.columns.items()})
    if isinstance(content, RaggedArray):
        return _by_ragged(content, where)
    raise StructureError("x[ragged index]: the index has more list levels than the array")


def _by_mask(array: RaggedArray, mask: RaggedArray) -> RaggedArray:
    offsets = check_same_offsets(array.offsets, mask.offsets, operation="x[mask]")
    flags: Any = fit(mask.content, array.capacity)
    starts, ids, known = concrete(offsets), concrete(array.row_ids), concrete(flags)
    if starts is not None and ids is not None and known is not None:
        places: Any = np.flatnonzero(known[: starts[-1]]).astype(np.int32)
        before = np.searchsorted(places, starts).astype(np.int32)
        content = take(array.content, places, repeats=1, operation="x[mask]")
        longest = int(np.diff(before).max(initial=0))
        return RaggedArray(constant(before), constant(ids[places]), content, array.length, longest, True)
    rows, places = _compressed(dataclasses.replace(array, content=jnp.asarray(flags), offsets=offsets))
    content = take(array.content, places, valid=rows.valid, repeats=1, operation="x[mask]")
    return dataclasses.replace(rows, content=content)


@jax.jit
def _compressed(mask: RaggedArray) -> tuple[RaggedArray, jax.Array]:
    """Return the rows of the selected items, and where they were."""
    flags: Any = mask.content
    flags = flags if mask.valid is None else flags & mask.valid
    places = compact(flags)
    before = starts_from_counts(flags)
    offsets = before[mask.offsets]
    inside = jnp.arange(mask.capacity, dtype=jnp.int32) < offsets[-1]
    row_ids: Any = take(mask.row_ids, places)
    ids = jnp.where(inside, row_ids, mask.rows)
    return RaggedArray(offsets, ids, ids, mask.length, mask.max_length, False), places


def _somewhere(array: RaggedArray, where: RaggedArray) -> RaggedArray:
    """Return one position per row without those of empty rows, for which `argmax` gives -1: nowhere."""
    row = jnp.minimum(where.row_ids, max(array.rows - 1, 0))
    empty: Any = take(array.row_lengths == 0, row)
    nowhere = empty & (jnp.asarray(where.content) == -1)
    known = concrete(nowhere)
    return where if known is not None and not known.any() else _by_mask(where, where.with_content(~nowhere))


def _by_position(array: RaggedArray, where: RaggedArray) -> RaggedArray:
    if where.max_length == 1 and array.rows and where.capacity:
        where = _somewhere(array, where)
    starts, ids, valid = concrete(array.offsets), concrete(where.row_ids), where.valid
    if array.rows == 0 or where.capacity == 0:
        items: Any = np.zeros(where.capacity, np.int32)
    elif starts is not None and ids is not None:
        row = np.minimum(ids, array.rows - 1)
        places = wrap_index(where.content, np.diff(starts)[row], row, valid=valid, operation="x[ragged index]")
        items = starts[row] + places
    else:
        row = jnp.minimum(where.row_ids, array.rows - 1)
        start = array.offsets[row]
        counts = array.offsets[row + 1] - start
        items = start + wrap_index(where.content, counts, row, valid=valid, operation="x[ragged index]")
    items = jnp.maximum(items, 0) if isinstance(items, jax.Array) else np.maximum(items, 0)
    content = take(array.content, items, valid=valid, operation="x[ragged index]")
    return dataclasses.replace(where, content=content)
