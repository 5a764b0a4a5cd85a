"""Selections of rows: slices, masks and lists of row numbers, found once for all columns."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import get_opaque_trace_state

from .array import Content, RaggedArray, RecordArray, content_of
from .errors import StructureError
from .flat import FlatArray
from .rows import Rows, common_rows, rows_of
from .slicing.gather import compact, take, take_rows
from .slicing.integers import wrap_rows
from .slicing.row_slices import is_static, slice_bounds, slice_limit, slice_rows
from .tracing import concrete


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which rows are taken.

    Attributes
    ----------
    index
        Integers, shape (n,): their numbers; a slice of rows that all are real.
    rows
        The rows of the result.
    repeats
        How often a row occurs at most; None when unknown.
    taken
        Offsets and row ids of lists that it was applied to, and of the results: what had the same lists before has the
        same lists afterwards.
    """

    index: Any
    rows: Rows
    repeats: int | None
    taken: list[tuple[jax.Array, ...]] = dataclasses.field(default_factory=list, compare=False)

    def of(self, content: Content, *, capacity: int | None = None) -> Content:
        """Return the selected rows of flat, nested or record content.

        The content has the rows that the selection was made for; ``capacity`` is room for items of nested content.
        Raises `CapacityError` when the items do not fit.
        """
        if isinstance(content, RecordArray):
            return RecordArray({name: self.of(column, capacity=capacity) for name, column in content.columns.items()})
        if isinstance(content, RaggedArray):
            return self._lists(content, capacity)
        if isinstance(self.index, slice):
            return slice_rows(content, self.index)
        return take(content, self.index, valid=self.rows.valid, repeats=self.repeats, operation="x[mask]")

    def _lists(self, array: RaggedArray, capacity: int | None) -> RaggedArray:
        if isinstance(self.index, slice):
            result = slice_rows(array, self.index)
        else:
            name = "x[mask]" if self.repeats == 1 else "x[[...]]"
            options: dict[str, Any] = {"repeats": self.repeats, "capacity": capacity, "operation": name}
            result = take_rows(array, self.index, valid=self.rows.valid, **options)
        assert isinstance(result, RaggedArray)
        for offsets, row_ids, new_offsets, new_row_ids in self.taken:
            same = offsets is array.offsets and row_ids is array.row_ids
            if same and new_row_ids.shape == result.row_ids.shape:
                return dataclasses.replace(result, offsets=new_offsets, row_ids=new_row_ids)
        self.taken.append((array.offsets, array.row_ids, result.offsets, result.row_ids))
        return result


def select(rows: Rows, head: Any) -> Selection:
    """Return which rows a slice, a mask or a list of row numbers takes.

    ``head`` is a slice, or a flat array (or its values) of booleans or integers. Raises `StructureError` when a mask
    has other rows, `IndexError` for a row that is not there.
    """
    if isinstance(head, slice):
        return _by_slice(rows, head)
    if head.dtype == bool:
        return _by_mask(rows, head)
    given = rows_of(head)
    index = wrap_rows(rows, content_of(head), valid=given.valid)
    return Selection(index, given, None)


def _by_slice(rows: Rows, part: slice) -> Selection:
    known = is_static(part)
    if known and rows.length is None:
        return Selection(part, Rows(len(range(*part.indices(rows.count))), None), 1)
    if known and part.start in (None, 0) and part.step in (None, 1) and (part.stop is None or part.stop >= rows.count):
        # all rows, as in x[:, 0]: they stay where they are
        return Selection(slice(None), rows, 1)
    start, length, step = slice_bounds(part, jnp.asarray(rows.number, jnp.int32))
    limit = slice_limit(part, rows.count)
    count = rows.count if limit is None else limit
    index = jnp.clip(start + step * jnp.arange(count, dtype=jnp.int32), 0, max(rows.count - 1, 0))
    return Selection(index, Rows(count, length), 1)


def _by_mask(rows: Rows, mask: Any) -> Selection:
    given = rows_of(mask)
    if given.count != rows.count and given.length is None and rows.length is None:
        raise StructureError(f"x[mask]: the mask has {given.count} rows, the array has {rows.count}")
    # what the same mask has selected before it selects again, so that the rows are known to be the same
    kept = mask.__dict__.setdefault("_selections", []) if isinstance(mask, FlatArray) else []
    state = get_opaque_trace_state(convention="nnx")
    for trace, length, selection in kept:
        if trace == state and length is rows.length and selection.rows.count <= rows.count:
            return selection
    selection = _found(rows, mask, given)
    kept.append((state, rows.length, selection))
    return selection


def _found(rows: Rows, mask: Any, given: Rows) -> Selection:
    flags: Any = content_of(mask)
    if concrete(flags) is not None and given.length is None and rows.length is None:
        index = compact(flags)
        return Selection(index, Rows(len(index), None), 1)
    common, _ = common_rows([rows, given], operation="x[mask]")
    flags = jnp.asarray(flags)[: common.count]
    flags = flags if common.valid is None else flags & common.valid
    return Selection(compact(flags), Rows(common.count, jnp.sum(flags, dtype=jnp.int32)), 1)
