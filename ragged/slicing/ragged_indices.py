"""Ragged indices: booleans for each item, and positions in each row."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..array import Content, RaggedArray, RecordArray
from ..errors import StructureError, check_same_offsets, concrete
from ..resize import fit, settle
from .gather import compact, constant, take
from .integers import wrap_index


def by_ragged(array: RaggedArray, where: RaggedArray) -> RaggedArray:
    """Return ``array[where]`` for a ragged ``where`` with the same rows.

    Parameters
    ----------
    array
        Rows of any depth.
    where
        Booleans in the same rows as the array's items (at any depth), or positions in each row, as many as wanted.

    Raises
    ------
    StructureError
        When the rows of a mask are not the array's.
    IndexError
        For a position outside its row.
    TypeError
        When ``where`` holds neither booleans nor integers.
    """
    where = settle(where)
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
        return by_ragged(content, where)
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
    before = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(flags, dtype=jnp.int32)])
    offsets = before[mask.offsets]
    inside = jnp.arange(mask.capacity, dtype=jnp.int32) < offsets[-1]
    row_ids: Any = take(mask.row_ids, places)
    ids = jnp.where(inside, row_ids, mask.rows)
    return RaggedArray(offsets, ids, ids, mask.length, mask.max_length, False), places


def _by_position(array: RaggedArray, where: RaggedArray) -> RaggedArray:
    if array.rows != where.rows:
        raise StructureError(f"x[ragged index]: the index has {where.rows} rows, the array has {array.rows}")
    length = where.length if array.length is None else array.length
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
    return dataclasses.replace(where, content=content, length=length)
