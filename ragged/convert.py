"""Between ragged arrays and Awkward arrays, NumPy arrays and Python lists."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

from .array import (
    MOST_ITEMS,
    Content,
    RaggedArray,
    RecordArray,
    as_array,
    content_length,
    content_of,
    from_offsets,
    row_ids_from_offsets,
    with_length,
)
from .errors import CapacityError
from .flat import FlatArray, plain
from .operators import owner
from .record import Record
from .resize import fit
from .tracing import concrete

# capacity and longest row of one list level
Room: TypeAlias = tuple[int | None, int | None]
# batches whose rows are not longer than this have one bound
_SHARED = 16
# more list levels than this have no capacity of their own
_LEVELS = 16


def from_awkward(
    array: Any,
    *,
    capacity: int | Sequence[int] | None = None,
    max_length: int | Sequence[int | None] | None = None,
    fill_value: float | None = None,
) -> Any:
    """Convert an Awkward array; on a CPU, contiguous buffers of the right type are not copied where JAX can use them.

    JAX uses memory that is aligned to 64 bytes, as Arrow's and memory-mapped files' is. Do not change it afterwards.

    Parameters
    ----------
    array
        Numbers, booleans, lists of them to any depth, and records of those. float64 becomes float32 and 64-bit
        integers 32-bit ones unless ``jax_enable_x64`` is set, as everywhere in JAX.
    capacity
        Room for this many items, for arrays that are to share one compiled program; one number per list level, from
        outside to inside, or one number for every level. The data's own size by default. XLA's loops on a CPU run up
        to twice as fast over a multiple of 64.
    max_length
        A promise that no row is longer: one number for the outermost lists, or one per list level, from outside to
        inside. The default is the longest row there is; with ``capacity`` the next power of two from 16 on, so that
        most batches have it in common and share one compiled program. Promise the same number where all have to.
    fill_value
        What stands in for missing values.

    Returns
    -------
    RaggedArray, RecordArray or FlatArray
        Of the same structure.

    Raises
    ------
    TypeError
        For strings, unions, categoricals, and for missing values without ``fill_value``; names the field.
    CapacityError
        When the data do not fit.
    OverflowError
        When 64-bit integers do not fit into 32 bits.

    Examples
    --------
    >>> import awkward as ak
    >>> import hepgrad.ragged as rg
    >>> rg.from_awkward(ak.Array([[1.0, 2.0], [], [3.0]]), capacity=10)
    <RaggedArray [[1.0, 2.0], [], [3.0]] type='3 * var * float32'>
    """
    array = ak.Array(array) if not isinstance(array, ak.Array) else array
    if array.layout.backend.name not in ("cpu", "numpy"):
        array = ak.to_backend(array, "cpu")
    capacities = itertools.repeat(capacity) if isinstance(capacity, int) else capacity or ()
    longest = [max_length] if isinstance(max_length, int) else max_length or ()
    # one (capacity, longest row) per list level; levels beyond those that were given have neither
    rooms = list(itertools.islice(itertools.zip_longest(itertools.islice(capacities, _LEVELS), longest), _LEVELS))
    return with_length(_from_layout(ak.to_layout(array), "array", rooms, fill_value), None)


def _from_layout(layout: Any, path: str, rooms: list[Room], fill_value: float | None) -> Content:
    parameters = layout.parameters
    if parameters.get("__array__") in ("string", "bytestring", "char", "byte", "categorical"):
        raise TypeError(f"{path}: {parameters['__array__']} values cannot be differentiated; drop this field")
    if layout.is_union:
        raise TypeError(f"{path}: union types cannot be stored in a ragged array; split the array by type")
    if layout.is_option:
        if fill_value is None:
            raise TypeError(f"{path}: missing values (option type) need fill_value=...")
        filled = ak.fill_none(ak.Array(layout), fill_value, axis=0, highlevel=False)
        return _from_layout(filled, path, rooms, fill_value)
    if layout.is_indexed:
        return _from_layout(layout.project(), path, rooms, fill_value)
    if layout.is_record:
        if layout.is_tuple or not layout.fields:
            raise TypeError(f"{path}: records need named fields; use ak.zip({{'name': ...}})")
        columns = {
            k: _from_layout(layout.content(k)[: layout.length], f"{path}.{k}", rooms, fill_value) for k in layout.fields
        }
        return RecordArray(columns)
    if layout.is_list or (layout.is_numpy and layout.purelist_depth > 1):
        packed = (layout.to_RegularArray() if layout.is_numpy else layout).to_ListOffsetArray64(True)
        offsets = np.asarray(packed.offsets)
        inner = packed.content[: offsets[-1]]
        room, max_length = rooms[0] if rooms else (None, None)
        return _with_room(offsets, _from_layout(inner, path, rooms[1:], fill_value), room, max_length, path)
    if layout.is_unknown:
        return jnp.zeros(0)
    return _leaf(np.asarray(layout.data), path)


def _with_room(
    offsets: np.ndarray, content: Content, room: int | None, max_length: int | None, path: str
) -> RaggedArray:
    if room is None:
        return from_offsets(offsets, content, max_length=max_length)
    if offsets[-1] > room:
        raise CapacityError(f"{path}: {offsets[-1]} items do not fit into capacity={room}")
    if room > MOST_ITEMS:
        raise OverflowError(f"{path}: capacity={room}, but positions are 32-bit integers; split the array into blocks")
    small = as_array(offsets, np.int32)
    longest = int(np.diff(offsets).max(initial=0))
    if max_length is not None and longest > max_length:
        raise CapacityError(f"{path}: a row has {longest} items, more than max_length={max_length}")
    max_length = _shared_bound(longest, room) if max_length is None else max_length
    # not exact even when full: arrays of one capacity must share one compiled program
    return RaggedArray(small, row_ids_from_offsets(small, room), fit(content, room), None, max_length, False)


def _shared_bound(longest: int, room: int) -> int:
    """Return a bound on the length of a row that most batches have in common: the next power of two, at least 16."""
    return min(max(_SHARED, 1 << max(int(longest) - 1, 0).bit_length()), room)


def _leaf(data: np.ndarray | jax.Array, path: str) -> jax.Array:
    if isinstance(data, jax.Array):
        return data
    if data.dtype.kind not in "fiubc":
        raise TypeError(f"{path}: numbers and booleans can be converted, not {data.dtype}")
    wanted = jax.dtypes.canonicalize_dtype(data.dtype)
    if data.dtype.kind in "iu" and wanted.itemsize < data.dtype.itemsize and data.size:
        limits = np.iinfo(wanted)
        if data.min() < limits.min or data.max() > limits.max:
            raise OverflowError(
                f"{path}: integers from {data.min()} to {data.max()} do not fit into {wanted}; "
                "enable jax_enable_x64 or drop this field"
            )
    return as_array(data)


def from_numpy(array: Any) -> Any:
    """Convert a NumPy array (or anything NumPy understands): one axis stays flat, more become rows of equal length.

    Parameters
    ----------
    array
        Numbers of any shape; a JAX array, also inside ``jit``.

    Examples
    --------
    >>> import numpy as np
    >>> import hepgrad.ragged as rg
    >>> rg.to_list(rg.from_numpy(np.ones((2, 3), np.float32)))
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    if isinstance(array, FlatArray) and array.ndim == 1:
        return array
    data = plain(array)
    data = data if isinstance(data, jax.Array) else np.asarray(data)
    if data.ndim == 0:
        return _leaf(data, "array")
    content: Content = _leaf(data.reshape(-1), "array")
    for level in reversed(range(1, data.ndim)):
        outer = int(np.prod(data.shape[:level]))
        content = from_offsets(np.arange(outer + 1) * data.shape[level], content)
    return with_length(content, None)


def from_lists(
    lists: Any, *, capacity: int | Sequence[int] | None = None, max_length: int | Sequence[int | None] | None = None
) -> Any:
    """Convert nested Python lists of numbers, or lists of dicts of them.

    Parameters
    ----------
    lists
        Nested lists.
    capacity, max_length
        As for `from_awkward`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.from_lists([[1, 2, 3], [], [4, 5]])
    <RaggedArray [[1, 2, 3], [], [4, 5]] type='3 * var * int32'>
    """
    if isinstance(lists, list | tuple):
        # rows that are arrays: Awkward would take JAX's for arrays of its own JAX backend
        lists = [np.asarray(row) if isinstance(row, jax.Array | FlatArray) else row for row in lists]
    return from_awkward(ak.Array(lists), capacity=capacity, max_length=max_length)


def from_iter(
    iterable: Iterable[Any],
    *,
    capacity: int | Sequence[int] | None = None,
    max_length: int | Sequence[int | None] | None = None,
) -> Any:
    """Convert anything that can be iterated over, such as a generator of rows.

    Parameters
    ----------
    iterable
        Yields numbers, lists of numbers, dicts of them, and so on.
    capacity, max_length
        As for `from_awkward`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.from_iter([0.5] * n for n in (1, 0, 2))
    <RaggedArray [[0.5], [], [0.5, 0.5]] type='3 * var * float32'>
    """
    return from_awkward(ak.from_iter(iterable), capacity=capacity, max_length=max_length)


def to_awkward(array: Any) -> ak.Array:
    """Convert to an Awkward array on the CPU backend, without the unused end of the buffers; the items are not copied.

    Parameters
    ----------
    array
        A ragged, record or flat array with known values (not inside ``jit``).

    Raises
    ------
    TypeError
        Inside ``jit``.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_awkward(rg.from_lists([[1.0, 2.0], []]))
    <Array [[1, 2], []] type='2 * var * float32'>
    """
    if isinstance(array, Record):
        return ak.Record({name: to_awkward(column) for name, column in array.columns.items()})
    if not isinstance(array, FlatArray | RaggedArray | RecordArray):
        if np.ndim(array) == 0:
            return _known(jnp.asarray(array))[()]
        array = FlatArray(jnp.asarray(array))
    if _is_single(array):
        return _record(array)
    content = content_of(array)
    # NumPy cuts off the rows that are not real: for JAX each number of them would be a program to compile
    rows = content_length(content) if array.length is None else int(_known(array.length))
    return ak.Array(_to_layout(content, rows))


def _is_single(array: Any) -> bool:
    """Return whether this is one record, or one number that an array holds while ``vmap`` maps over its rows."""
    if isinstance(array, RecordArray):
        return any(_is_single(column) for column in array.columns.values())
    return not isinstance(array, RaggedArray) and np.ndim(content_of(array)) == 0


def _record(array: Any) -> Any:
    if not isinstance(array, RecordArray):
        return to_awkward(content_of(array))
    return ak.Record({name: _record(column) for name, column in array.columns.items()})


def _known(x: Any) -> np.ndarray:
    value = concrete(x)
    if value is None:
        raise TypeError("the values of a ragged array are not known inside jit; convert the result outside")
    return value


def _to_layout(array: Content, rows: int) -> Any:
    if isinstance(array, RecordArray):
        contents = [_to_layout(column, rows) for column in array.columns.values()]
        return ak.contents.RecordArray(contents, list(array.columns), rows)
    if isinstance(array, RaggedArray):
        offsets = _known(array.offsets)[: rows + 1]
        # Awkward sorts only lists with 64-bit offsets
        index = ak.index.Index64(offsets.astype(np.int64))
        return ak.contents.ListOffsetArray(index, _to_layout(array.content, int(offsets[-1])))
    return ak.contents.NumpyArray(_known(array)[:rows])


@owner
def to_list(array: Any) -> Any:
    """Return nested Python lists, with dicts for records.

    Parameters
    ----------
    array
        A ragged, record or flat array, or a scalar, with known values (not inside ``jit``).

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_list(rg.from_lists([[1, 2], [3]])[:, ::-1])
    [[2, 1], [3]]
    """
    if isinstance(array, FlatArray):
        return np.asarray(array).tolist()
    return ak.to_list(to_awkward(array))
