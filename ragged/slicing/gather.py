"""Take items and rows by index: the one mechanism behind slices, masks, sorting, concatenation and combinatorics.

Sizes follow one rule. Where the structure is known (outside ``jit``) a result has exactly the size it needs, and the
integers are computed with NumPy. Inside ``jit`` a result has an explicit capacity, or one that is certain to suffice,
or the capacity of the array it comes from with a check that raises when the data do not fit.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..array import Content, RaggedArray, RecordArray, row_ids_from_offsets
from ..errors import CapacityError, check_capacity
from ..reduce.sums import narrowed, widened
from ..running import running_total, starts_from_counts
from ..tracing import concrete, is_traced
from ..unused import guard

_MAX_INT32 = np.iinfo(np.int32).max


def host(x: Any) -> np.ndarray | None:
    """Return an array as NumPy without copying, or None when it is traced or does not live on a CPU.

    Unlike `concrete` this is for values, which must stay tracers inside ``grad``.
    """
    if isinstance(x, np.ndarray | np.generic):
        return np.asarray(x)
    if is_traced(x) or jax.default_backend() != "cpu" or len(x.sharding.device_set) != 1:
        return None
    return np.asarray(x)


def constant(x: Any) -> jax.Array:
    """Return known values as a JAX array that stays known, also while ``jit`` is tracing."""
    with jax.ensure_compile_time_eval():
        return jnp.asarray(x)


def rows_from_counts(
    counts: Any,
    *,
    capacity: int | None = None,
    max_length: int | None = None,
    certain: bool = False,
    operation: str,
) -> RaggedArray:
    """Return rows of the given lengths, whose items are their own positions in the row: 0, 1, 2, ...

    ``counts`` are integers, not negative, and ``max_length`` a static bound on them, if known. By default there is room
    for exactly as many items as there are, or for ``max_length * rows`` inside ``jit``. ``certain`` is a promise that
    the items fit into ``capacity``, which then sets the size inside ``jit`` only, without a check. Raises
    `CapacityError` when the items do not fit, `TypeError` inside ``jit`` without ``capacity`` and ``max_length``.

    Examples
    --------
    >>> from hepgrad.ragged.slicing.gather import rows_from_counts
    >>> rows_from_counts([2, 0, 3], operation="example")
    <RaggedArray [[0, 1], [], [0, 1, 2]] type='3 * var * int32'>
    """
    counts = counts if isinstance(counts, jax.Array) else np.asarray(counts)
    known = concrete(counts)
    if known is not None:
        room = None if certain else capacity
        offsets, row_ids = _known_rows(known, room, operation)
        if room is None and max_length is None:
            max_length = int(known.max(initial=0))
        positions = np.arange(len(row_ids), dtype=np.int32) - offsets.take(row_ids)
        return RaggedArray(constant(offsets), constant(row_ids), constant(positions), None, max_length, room is None)
    if max_length is not None:
        bound = max_length * counts.shape[0]
        certain = certain or capacity is None or capacity >= bound
        capacity = bound if capacity is None else capacity
    if capacity is None:
        raise TypeError(f"{operation}: the size of the result is not known inside jit; pass capacity=...")
    return _traced_rows(counts, capacity, None if certain else operation, max_length, False)


def _known_rows(counts: np.ndarray, capacity: int | None, operation: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets and row ids (int32) of rows with known lengths."""
    wide = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=wide[1:])
    room = _MAX_INT32 if capacity is None else capacity
    if wide[-1] > room:
        raise CapacityError(
            f"{operation}: the result needs room for {wide[-1]} items but its capacity is {room}"
            + (f"; pass capacity={wide[-1]} (or more)" if capacity is not None else " (positions are 32-bit integers)")
        )
    missing = 0 if capacity is None else capacity - wide[-1]
    row_ids = np.repeat(np.arange(len(wide), dtype=np.int32), np.append(counts, missing))
    return wide.astype(np.int32), row_ids


@functools.partial(jax.jit, static_argnames=("capacity", "operation", "max_length", "exact"))
def _traced_rows(
    counts: jax.Array, capacity: int, operation: str | None, max_length: int | None, exact: bool
) -> RaggedArray:
    """Return rows whose lengths are traced; ``operation`` names the check of the capacity, None leaves it out."""
    offsets = starts_from_counts(counts)
    if operation is not None:
        # a sum beyond 32 bits turns negative at the row where it happens
        overflow = jnp.any(offsets[1:] < offsets[:-1])
        needed = jnp.where(overflow, _MAX_INT32, offsets[-1])
        offsets = check_capacity(offsets, needed=needed, capacity=capacity, operation=operation)
    row_ids = row_ids_from_offsets(offsets, capacity)
    rows = RaggedArray(offsets, row_ids, row_ids, None, max_length, exact)
    return rows.with_content(rows.positions)


def take(
    content: Content,
    index: Any,
    *,
    valid: Any = None,
    repeats: int | None = None,
    operation: str = "take",
) -> Content:
    """Return items of flat, nested or record content by their index along the first axis.

    The gradient of items that are not selected is exactly zero, and what arrives at places that are not ``valid`` is
    dropped. ``index`` holds integers, shape (n,), not negative; those behind the last item are clipped to it. ``valid``
    (bool, shape (n,); None for all) tells which places of the result are data; lists at other places become empty.
    ``repeats`` is how often an item occurs in ``index`` at most, if known, which bounds the size of nested results
    inside ``jit``.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.ragged.slicing.gather import take
    >>> take(rg.from_numpy([10.0, 20.0, 30.0]), rg.from_numpy([2, 0, 2]))
    Array([30., 10., 30.], dtype=float32)
    """
    if isinstance(content, RecordArray):
        columns = content.columns.items()
        return RecordArray({k: take(v, index, valid=valid, repeats=repeats, operation=operation) for k, v in columns})
    if isinstance(content, RaggedArray):
        return take_rows(content, index, valid=valid, repeats=repeats, operation=operation)
    if content.shape[0] == 0:
        return jnp.zeros((len(index), *content.shape[1:]), content.dtype)
    values, places = host(content), concrete(index)
    if values is not None and places is not None:
        return constant(values.take(places, axis=0, mode="clip"))
    return _gather(content, index, valid)


@jax.jit
def _gather(x: jax.Array, index: jax.Array, valid: jax.Array | None) -> jax.Array:
    # widened, since the derivative of an item that is taken several times adds up
    items = narrowed(widened(x).at[index].get(mode="clip", wrap_negative_indices=False), x.dtype)
    return guard(items, valid)


def take_rows(
    array: RaggedArray,
    index: Any,
    *,
    valid: Any = None,
    repeats: int | None = None,
    capacity: int | None = None,
    exact: bool = False,
    operation: str = "take_rows",
) -> RaggedArray:
    """Return rows of a ragged array by their index; a row may be taken several times, or left out.

    ``index`` holds integers, shape (n,), from 0 to below the number of rows. ``valid`` (bool, shape (n,); None for all)
    tells which rows of the result are real; the others are empty. ``repeats`` is how often a row occurs at most, if
    known (computed where ``index`` is known), and ``capacity`` room for items of the outermost level. ``exact``
    promises that the result has exactly as many items as the array (``index`` is a permutation). Raises `CapacityError`
    when the items do not fit.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.ragged.slicing.gather import take_rows
    >>> x = rg.from_lists([[1, 2], [], [3]])
    >>> take_rows(x, rg.from_numpy([2, 2, 0]))
    <RaggedArray [[3], [3], [1, 2]] type='3 * var * int32'>
    """
    places, offsets = concrete(index), concrete(array.offsets)
    shown = None if valid is None else concrete(valid)
    if places is not None and offsets is not None and (valid is None or shown is not None):
        return _take_known_rows(array, places, offsets, shown, capacity, operation)
    if repeats is None and places is not None:
        repeats = int(np.bincount(places, minlength=1).max(initial=0))
    index = jnp.asarray(index)
    # of two lookups one is used twice, so that XLA keeps it instead of looking it up again for each item
    begins = array.offsets.at[index].get(mode="clip")
    counts = array.offsets.at[index + 1].get(mode="clip") - begins
    if valid is not None:
        counts = jnp.where(valid, counts, 0)
    bounds = [] if array.max_length is None else [array.max_length * index.shape[0]]
    if repeats is not None:
        bounds.append(repeats * array.capacity)
    room = min(bounds, default=array.capacity) if capacity is None else capacity
    unchecked = room >= min(bounds, default=room + 1)
    whole = exact and array.exact and room == array.capacity
    rows = _traced_rows(counts, room, None if unchecked else operation, array.max_length, whole)
    # an item moves as far as its row: one number for each row, looked up once for each item
    items = jnp.arange(room, dtype=jnp.int32) + take(begins - rows.offsets[:-1], rows.row_ids)
    return rows.with_content(take(array.content, items, valid=rows.valid, repeats=repeats, operation=operation))


def _take_known_rows(
    array: RaggedArray,
    index: np.ndarray,
    starts: np.ndarray,
    valid: np.ndarray | None,
    capacity: int | None,
    operation: str,
) -> RaggedArray:
    counts = np.diff(starts)[index]
    if valid is not None:
        counts = np.where(valid, counts, 0)
    offsets, row_ids = _known_rows(counts, capacity, operation)
    items = np.arange(len(row_ids), dtype=np.int32)
    if len(index):
        items += np.append(starts[index] - offsets[:-1], np.int32(0)).take(row_ids)
    shown = None if capacity is None else items_valid(len(row_ids), offsets[-1])
    content = take(array.content, items, valid=shown, operation=operation)
    exact = capacity is None
    longest = int(counts.max(initial=0)) if exact else array.max_length
    return RaggedArray(constant(offsets), constant(row_ids), content, None, longest, exact)


def compact(flags: Any) -> Any:
    """Return the places where ``flags`` is true, in order; inside ``jit`` the rest of the result is not meaningful.

    The result is int32: as many as there are true flags, and of shape (n,) inside ``jit``.
    """
    known = concrete(flags)
    if known is not None:
        return np.flatnonzero(known).astype(np.int32)
    return _compact(flags)


@jax.jit
def _compact(flags: jax.Array) -> jax.Array:
    n = flags.shape[0]
    target = jnp.where(flags, running_total(flags) - 1, n)
    places = jnp.arange(n, dtype=jnp.int32)
    return jnp.zeros(n, jnp.int32).at[target].set(places, mode="drop")


def items_valid(capacity: int, size: Any) -> np.ndarray:
    """Return which places of a buffer hold data: bool, shape (capacity,), for a known size."""
    return np.arange(capacity) < size
