"""Tuples of items that grow by one item at a time: the mechanism of combinations and Cartesian products.

Every tuple so far is continued by a run of neighbouring items, so a new index is where the run begins plus a count.
Where the structure is known all indices are computed with NumPy, otherwise by the same steps with JAX. NumPy takes
items twice as fast with indices of its own type, so there all of them are 64-bit until the result is made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..array import RaggedArray, RecordArray, row_ids_from_offsets
from ..errors import CapacityError, check_capacity
from ..running import starts_from_counts
from ..slicing.gather import take
from ..tracing import concrete

_MAX_INT32 = np.iinfo(np.int32).max


@dataclasses.dataclass(frozen=True)
class Room:
    """How long a buffer may get inside ``jit``, and whether that is certain to suffice.

    Attributes
    ----------
    capacity
        The length of the buffer; None when nothing bounds it.
    certain
        Whether no data can need more.
    """

    capacity: int | None
    certain: bool

    @classmethod
    def of(cls, bound: int | None, capacity: int | None) -> Room:
        """Return the room from what the data can need at most and what the caller allows (None: not known)."""
        if capacity is None:
            return cls(bound, True)
        return cls(capacity, bound is not None and bound <= capacity)

    def trusted(self) -> Room:
        """Return the same room after a check that it suffices."""
        return Room(self.capacity, True)


@dataclasses.dataclass(frozen=True)
class Tuples:
    """Tuples of items in lists, as indices.

    Attributes
    ----------
    offsets
        The tuples of each of the innermost lists, as in `RaggedArray`.
    lists
        The innermost list of each tuple.
    rows
        The row of each tuple.
    members
        For each place, the item of each tuple.
    outer
        The lists around the innermost ones, from outside to inside: offsets and list of each.
    """

    offsets: Any
    lists: Any
    rows: Any
    members: tuple[Any, ...]
    outer: tuple[tuple[Any, Any], ...] = ()

    @classmethod
    def of_items(cls, x: RaggedArray, known: bool) -> Tuples:
        """Return tuples of one item each.

        ``known`` tells to compute with NumPy, which needs rows with known values.
        """
        offsets = structure(x, known)
        # without the unused end of the buffer
        rows = np.asarray(concrete(x.row_ids))[: offsets[-1]].astype(np.intp) if known else x.row_ids
        return cls(offsets, rows, rows, (np.arange(len(rows)) if known else jnp.arange(x.capacity, dtype=jnp.int32),))

    def checked(self, numbers: Callable[[Any], Any], lengths: Any, *, room: Room, operation: str) -> Tuples:
        """Return the same tuples, with an error inside ``jit`` when those they will grow into do not fit.

        ``numbers`` gives the number of finished tuples of each row, from the lengths of the rows: int32, shape (rows,),
        or several of these stacked.
        """
        if isinstance(lengths, np.ndarray) or room.certain or room.capacity is None:
            return self
        # beyond this integers may overflow on the way, and the approximate number is good enough
        rough = jnp.sum(numbers(lengths.astype(jnp.float32)))
        needed = jnp.where(rough > _MAX_INT32 / 16, jnp.minimum(rough, _MAX_INT32 - 127.0), 0).astype(jnp.int32)
        needed = jnp.where(needed > 0, needed, jnp.sum(numbers(lengths)))
        offsets = check_capacity(self.offsets, needed=needed, capacity=room.capacity, operation=operation)
        return dataclasses.replace(self, offsets=offsets)

    def extended(self, counts: Any, begin: Any, *, room: Room, operation: str, cut: bool = False) -> Tuples:
        """Return the tuples with each of a run of items appended.

        ``counts`` and ``begin`` (int32) are the length of the run for each tuple, and its first item. ``room`` is for
        tuples inside ``jit``; with ``cut`` the continuations of each tuple become a list of their own. Raises
        `CapacityError` when the tuples do not fit, `TypeError` inside ``jit`` when nothing bounds the number of tuples.
        """
        inner: Any
        parents: Any
        if isinstance(counts, np.ndarray):
            inner, parents = _known_runs(counts, operation)
        else:
            inner, parents = _traced_runs(jnp.where(self.valid, counts, 0), room, operation)
        item = at(begin - inner[:-1], parents)
        item += np.arange(len(item), dtype=item.dtype)
        # tuples of one item are the items themselves
        before = (at(place, parents) for place in self.members) if len(self.members) > 1 else (parents,)
        members = (*before, item)
        rows = at(self.rows, parents)
        if cut:
            return Tuples(inner, parents, rows, members, (*self.outer, (self.offsets, self.lists)))
        lists = rows if self.lists is self.rows else at(self.lists, parents)
        return Tuples(at(inner, self.offsets), lists, rows, members, self.outer)

    @property
    def valid(self) -> Any:
        """Which places of the buffers hold tuples (bool)."""
        return jnp.arange(self.rows.shape[0], dtype=jnp.int32) < self.offsets[-1]

    def padded(self, capacity: int, operation: str) -> Tuples:
        """Return known tuples in longer buffers.

        Raises `CapacityError` when the tuples do not fit.
        """
        missing = capacity - len(self.rows)
        if missing < 0:
            raise CapacityError(
                f"{operation}: the result needs room for {len(self.rows)} items but its capacity is {capacity}; "
                f"pass capacity={len(self.rows)} (or more)"
            )
        members = tuple(np.pad(place, (0, missing)) for place in self.members)
        lists, rows = (np.pad(ids, (0, missing)) for ids in (self.lists, self.rows))
        return Tuples(self.offsets, lists, rows, members, self.outer)

    def records(
        self,
        parts: Sequence[RaggedArray],
        names: Sequence[str],
        *,
        positions: bool,
        repeats: Sequence[int | None],
        max_length: int | None,
        capacity: int | None,
        operation: str,
    ) -> RaggedArray:
        """Return the tuples as lists of records.

        For each place there are the array whose items the indices mean, the name of the field, and how often an item
        occurs there at most, if known. With ``positions`` the fields hold the positions in the row, instead of the
        items themselves. ``max_length`` is a static bound on the tuples in a list, if known and not just counted;
        ``capacity`` is the room that the caller asked for.
        """
        known = isinstance(self.offsets, np.ndarray)
        tuples = self.padded(capacity, operation) if known and capacity is not None else self
        exact = known and capacity is None
        if exact:
            max_length = int(np.diff(self.offsets).max(initial=0))
        valid = None if exact else tuples.valid
        columns: dict[str, Any] = {}
        for name, x, items, often in zip(names, parts, tuples.members, repeats, strict=True):
            if positions:
                columns[name] = _int32(items - at(structure(x, known), tuples.rows))
            else:
                columns[name] = take(x.content, items, valid=valid, repeats=often, operation=operation)
        lists = _int32(tuples.lists)
        if valid is not None:
            lists = jnp.where(valid, lists, len(tuples.offsets) - 1)
        result = RaggedArray(_int32(tuples.offsets), lists, RecordArray(columns), None, max_length, exact)
        for offsets, ids in reversed(tuples.outer):
            size = len(ids) if isinstance(ids, np.ndarray) else None
            result = RaggedArray(_int32(offsets), _int32(ids), result, None, None, size is not None)
        return result


def structure(x: RaggedArray, known: bool) -> Any:
    """Return the offsets as NumPy if they are ``known``, or as they are."""
    return np.asarray(concrete(x.offsets), np.intp) if known else x.offsets


def _int32(index: Any) -> jax.Array:
    return jnp.asarray(index.astype(np.int32))


def at(values: Any, index: Any) -> Any:
    """Return ``values[index]``; traced indices behind the last value are clipped to it."""
    if isinstance(index, np.ndarray) and isinstance(values, np.ndarray):
        return values.take(index)
    if values.shape[0] == 0:
        return jnp.zeros(index.shape, values.dtype)
    return jnp.asarray(values).at[index].get(mode="clip", wrap_negative_indices=False)


def _known_runs(counts: np.ndarray, operation: str) -> tuple[np.ndarray, np.ndarray]:
    """Return where the run of each tuple begins in the result, and the tuple that each result continues."""
    ends = np.cumsum(counts, dtype=np.int64)
    if len(ends) and ends[-1] > _MAX_INT32:
        raise CapacityError(f"{operation}: the result has {ends[-1]} items, but positions are 32-bit integers")
    return np.concatenate([[0], ends]), np.repeat(np.arange(len(counts)), counts)


def _traced_runs(counts: jax.Array, room: Room, operation: str) -> tuple[jax.Array, jax.Array]:
    if room.capacity is None:
        raise TypeError(
            f"{operation}: the size of the result is not known inside jit; pass capacity=..., or make the array with "
            "max_length=..."
        )
    offsets = starts_from_counts(counts)
    if not room.certain:
        # a sum beyond 32 bits turns negative where it happens
        overflow = jnp.any(offsets[1:] < offsets[:-1])
        needed = jnp.where(overflow, _MAX_INT32, offsets[-1])
        offsets = check_capacity(offsets, needed=needed, capacity=room.capacity, operation=operation)
    return offsets, row_ids_from_offsets(offsets, room.capacity)
