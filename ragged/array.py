"""The containers `RaggedArray`, a list of lists, and `RecordArray`, named columns of equal length.

As `FlatArray` they are frozen dataclasses registered as pytrees. Their structure (offsets and row ids) consists of
*traced leaves*, as the indices of `jax.experimental.sparse` do, so that one compiled program serves every array of the
same capacity.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from .errors import StructureError, check_capacity
from .flat import FlatArray, flat
from .operators import Operators
from .running import running_total
from .tracing import concrete

# positions are int32: twice as fast as int64, and JAX has no others by default
MOST_ITEMS = int(np.iinfo(np.int32).max)

Content: TypeAlias = "jax.Array | RaggedArray | RecordArray"


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RecordArray(Operators):
    """Named columns of equal length: an array of records.

    Attributes
    ----------
    columns
        The columns by name, each with the same number of items; flat (a `jax.Array`), nested, or records again. As
        attributes (``met.pt``) and items they know the rows, and flat ones are `FlatArray`.
    length
        int32 scalar: how many of the records are real, when data decided that inside ``jit``; None when all are.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> met = rg.zip({"pt": rg.from_numpy([20.0, 30.0]), "phi": rg.from_numpy([0.1, 0.2])})
    >>> met.pt
    Array([20., 30.], dtype=float32)
    """

    columns: dict[str, Content]
    length: jax.Array | None = None

    def __post_init__(self) -> None:
        if any(isinstance(column, FlatArray) for column in self.columns.values()):
            _take_lengths(self)

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], tuple[str, ...]]:
        """Return the children and the static part, as JAX asks for."""
        children: list[tuple[Any, Any]] = [(jax.tree_util.GetAttrKey(k), v) for k, v in self.columns.items()]
        return [*children, (jax.tree_util.GetAttrKey("length"), self.length)], tuple(self.columns)

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], leaves: Any) -> RecordArray:
        """Return what `tree_flatten_with_keys` took apart; checks nothing, since JAX also puts in other leaves."""
        *columns, length = leaves
        return cls(dict(zip(names, columns, strict=True)), length)

    @property
    def fields(self) -> list[str]:
        """The names of the columns."""
        return list(self.columns)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in (columns := self.__dict__.get("columns", {})):
            raise AttributeError(f"no field {name!r}; the fields are {sorted(self.__dict__.get('columns', {}))}")
        return with_length(columns[name], self.length)

    @property
    def rows(self) -> int:
        """The number of records in the buffer (static)."""
        return content_length(self)

    def __len__(self) -> int:
        return _known_length(self)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RaggedArray(Operators):
    """Rows of varying length: row ``i`` is ``content[offsets[i]:offsets[i + 1]]``.

    The buffer ``content`` may be longer than the data (``capacity >= size``). What it holds behind ``size`` never
    influences a result or a gradient. Make one with `from_awkward`, `from_lists` or `from_offsets`.

    Attributes
    ----------
    offsets
        int32, shape (rows + 1,): where each row begins; the first is 0, the last is ``size``.
    row_ids
        int32, shape (capacity,): the row of each item, and ``rows`` behind ``size``. Kept with the array because
        computing them takes longer than most operations that use them.
    content
        The items: a `jax.Array` whose first axis is the capacity, a `RaggedArray` (nested lists) or a `RecordArray`.
    length
        int32 scalar: how many of the rows are real, when a row selection inside ``jit`` left empty rows at the end;
        None when all are.
    max_length
        Static: no row is longer than this; None when unknown.
    exact
        Static: True when ``capacity == size`` is known, so that no operation has to look at the end of the buffer.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0, 3.0], [], [4.0, 5.0]])
    >>> rg.sum(x**2, axis=1)
    Array([14.,  0., 41.], dtype=float32)
    """

    offsets: jax.Array
    row_ids: jax.Array
    content: Content
    length: jax.Array | None = None
    max_length: int | None = None
    exact: bool = False

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], tuple[int | None, bool]]:
        """Return the children and the static part, as JAX asks for."""
        names = ("offsets", "row_ids", "content", "length")
        return [(jax.tree_util.GetAttrKey(n), getattr(self, n)) for n in names], (self.max_length, self.exact)

    @classmethod
    def tree_unflatten(cls, static: tuple[int | None, bool], leaves: Any) -> RaggedArray:
        """Return what `tree_flatten_with_keys` took apart, with other leaves as JAX likes; only one thing is checked.

        Raises
        ------
        StructureError
            When the offsets have become floating-point numbers, as by ``jax.tree.map(lambda p, g: p - 0.1 * g, x, g)``.
        """
        offsets, row_ids, content, length = leaves
        _refuse_moved_rows(offsets)
        return cls(offsets, row_ids, content, length, *static)

    @property
    def rows(self) -> int:
        """The number of rows in the buffer (static)."""
        return int(self.offsets.shape[0]) - 1

    @property
    def capacity(self) -> int:
        """The number of items that the buffer has room for (static)."""
        return int(self.row_ids.shape[0])

    @property
    def size(self) -> jax.Array:
        """The number of items that are there (int32 scalar)."""
        return self.offsets[-1]

    @property
    def counts(self) -> FlatArray:
        """The length of each row (int32)."""
        return with_length(self.row_lengths, self.length)

    @property
    def row_lengths(self) -> jax.Array:
        """The length of each row of the buffer (int32, shape (rows,)); 0 for those that are not real."""
        return self.offsets[1:] - self.offsets[:-1]

    @property
    def positions(self) -> jax.Array:
        """The position of each item in its row (int32, shape (capacity,))."""
        starts = self.offsets.at[self.row_ids].get(mode="clip", indices_are_sorted=True)
        return jnp.arange(self.capacity, dtype=jnp.int32) - starts

    @property
    def valid(self) -> jax.Array | None:
        """Which items of the buffer are data (bool, shape (capacity,)); None when all are known to be."""
        if self.exact:
            return None
        # every operation asks for it: arrays of the same rows remember it together
        if (known := self._of_rows.get("valid")) is not None:
            return known
        valid = jnp.arange(self.capacity, dtype=jnp.int32) < self.size
        if getattr(valid, "_trace", None) is getattr(self.offsets, "_trace", None):
            self._of_rows["valid"] = valid
        return valid

    @property
    def _of_rows(self) -> dict[str, jax.Array]:
        """What is known about the rows; shared by all arrays that have these rows."""
        memory: dict[str, jax.Array] = self.__dict__.setdefault("_rows_memory", {})
        return memory

    @property
    def longest(self) -> int | None:
        """A static bound on the length of a row: ``max_length``, or the longest row where the values are known."""
        offsets = concrete(self.offsets)
        if offsets is not None:
            return int(np.diff(offsets).max(initial=0))
        return self.max_length

    @property
    def fields(self) -> list[str]:
        """The names of the records' fields; empty when the items are not records."""
        return self.content.fields if isinstance(self.content, RaggedArray | RecordArray) else []

    def with_content(self, content: Content) -> RaggedArray:
        """Return the same rows with other items.

        Parameters
        ----------
        content
            The new items, as many as the capacity.
        """
        given: Any = content
        new = dataclasses.replace(self, content=given.content if isinstance(given, FlatArray) else given)
        new.__dict__["_rows_memory"] = self._of_rows
        return new

    def __getattr__(self, name: str) -> Any:
        content = self.__dict__.get("content")
        if name.startswith("__") or not isinstance(content, RaggedArray | RecordArray) or name not in content.fields:
            known = content.fields if isinstance(content, RaggedArray | RecordArray) else []
            raise AttributeError(f"no field {name!r}; the fields are {sorted(known)}")
        return self.with_content(getattr(content, name))

    def __len__(self) -> int:
        return _known_length(self)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))


def _refuse_moved_rows(offsets: Any) -> None:
    """Raise when arithmetic on the leaves of a pytree has been done to the structure of a ragged array as well."""
    moved = isinstance(offsets, jax.Array | np.ndarray) and jnp.issubdtype(offsets.dtype, jnp.inexact)
    # a single number is one of the placeholders that JAX puts into pytrees
    if moved and offsets.ndim:
        raise StructureError(
            "arithmetic on all leaves of a pytree also changed the rows of a ragged array (its offsets became "
            f"{offsets.dtype}); use rg.apply_updates(x, updates) for a step, rg.items_of(x) for the numbers alone "
            "(as optax needs them), or operators on the array itself: x - 0.1 * gradient"
        )


def _known_length(array: RaggedArray | RecordArray) -> int:
    if array.length is None:
        return array.rows
    known = concrete(array.length)
    if known is None:
        raise TypeError("the number of selected rows is not known inside jit; use rg.num(x, axis=0)")
    return int(known)


def _take_lengths(records: RecordArray) -> None:
    """Give records the number of rows that their flat columns carry, and keep only the buffers of these."""
    given: dict[str, Any] = dict(records.columns)
    lengths = [column.length for column in given.values() if isinstance(column, FlatArray)]
    length = records.length if records.length is not None else lengths[0]
    if any(other is not length for other in lengths):
        raise StructureError("records: the fields have numbers of rows of their own; join them with rg.zip")
    columns = {k: v.content if isinstance(v, FlatArray) else v for k, v in given.items()}
    object.__setattr__(records, "columns", columns)
    object.__setattr__(records, "length", length)


def with_length(content: Any, length: Any) -> Any:
    """Return content as an array that knows how many of its rows are real.

    Without a ``length`` (int32 scalar) all rows are real.
    """
    if isinstance(content, RaggedArray | RecordArray):
        return content if length is None else dataclasses.replace(content, length=length)
    if isinstance(content, FlatArray):
        content = content.content
    # while JAX moves pytrees around the leaves may be anything
    return flat(content, length) if hasattr(content, "ndim") else FlatArray(content, length)


def content_of(array: Any) -> Any:
    """Return the buffer of a flat array, or a ragged or record array whose rows count as real, all of them.

    Anything else is returned unchanged.
    """
    if isinstance(array, FlatArray):
        return array.content
    if isinstance(array, RaggedArray | RecordArray) and array.length is not None:
        return dataclasses.replace(array, length=None)
    return array


def content_length(content: Content) -> int:
    """Return the number of items along the first axis of the buffer (static)."""
    if isinstance(content, RaggedArray | FlatArray):
        return content.rows
    if isinstance(content, RecordArray):
        return content_length(next(iter(content.columns.values())))
    return int(content.shape[0])


def as_array(x: Any, dtype: Any = None) -> jax.Array:
    """Return a JAX array; memory that JAX can use as it is (on a CPU: aligned to 64 bytes) is not copied.

    Known values stay known while ``jit`` is tracing, whereas ``jnp.asarray`` would make a tracer of them. ``x`` may be
    anything that speaks DLPack.
    """
    if isinstance(x, FlatArray):
        x = x.buffer("conversion to a jax.Array")
    if not isinstance(x, jax.Array | np.ndarray) and hasattr(x, "__dlpack__"):
        x = jnp.from_dlpack(x)
    if isinstance(x, jax.Array) or any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(x)):
        return jnp.asarray(x, dtype)
    with jax.ensure_compile_time_eval():
        return jax.device_put(np.asarray(x, dtype))


def row_ids_from_offsets(offsets: jax.Array, capacity: int) -> jax.Array:
    """Return the row of each item of a buffer, and the number of rows behind the last item.

    Offsets are int32, of shape (rows + 1,); ``capacity`` is the length of the buffer.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.ragged.array import row_ids_from_offsets
    >>> row_ids_from_offsets(jnp.array([0, 2, 2, 3]), capacity=5)
    Array([0, 0, 2, 3, 3], dtype=int32)
    """
    known = concrete(offsets)
    if known is not None:
        rows = len(known) - 1
        ids = np.repeat(np.arange(rows + 1, dtype=np.int32), np.append(np.diff(known), capacity - known[-1]))
        return as_array(ids)
    ends = jnp.zeros(capacity, jnp.int32).at[offsets[1:]]
    steps = ends.add(1, mode="drop", indices_are_sorted=True, wrap_negative_indices=False)
    return running_total(steps)


def from_offsets(
    offsets: Any, content: Any, *, max_length: int | None = None, row_ids: jax.Array | None = None
) -> RaggedArray:
    """Make a ragged array from its buffers, without copying.

    Parameters
    ----------
    offsets
        Integers, shape (rows + 1,), from 0 and not decreasing: row ``i`` is ``content[offsets[i]:offsets[i + 1]]``.
    content
        The items; may be longer than ``offsets[-1]``.
    max_length
        A promise that no row is longer, for sizes inside ``jit``. Where the values are known it is checked.
    row_ids
        The row of each item, if known; computed otherwise.

    Raises
    ------
    TypeError
        When the offsets are not integers.
    OverflowError
        When they are beyond 2**31 - 1: positions are 32-bit integers.
    ValueError
        When the offsets are known and do not start at 0, decrease, or point behind the content.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_list(rg.from_offsets([0, 2, 2, 3], rg.from_numpy([1.0, 2.0, 3.0])))
    [[1.0, 2.0], [], [3.0]]
    """
    offsets = _positions(offsets)
    if not isinstance(content, RaggedArray | RecordArray):
        content = as_array(content)
    capacity = content_length(content)
    known = concrete(offsets)
    exact = False
    if known is not None:
        if len(known) == 0 or known[0] != 0 or np.any(np.diff(known) < 0) or known[-1] > capacity:
            raise ValueError(
                f"offsets must start at 0, not decrease, and end at most at the content's length {capacity}; "
                f"got {known[:5]}... ending at {known[-1] if len(known) else 'nothing'}"
            )
        longest = int(np.diff(known).max(initial=0))
        if max_length is not None and longest > max_length:
            raise ValueError(f"a row has {longest} items, more than max_length={max_length}")
        exact = bool(known[-1] == capacity)
        max_length = longest if exact and max_length is None else max_length
    if row_ids is None:
        row_ids = row_ids_from_offsets(offsets, capacity)
    return RaggedArray(offsets, row_ids, content, None, max_length, exact)


def _positions(offsets: Any) -> jax.Array:
    """Return offsets as 32-bit integers, which they must fit into."""
    if not isinstance(offsets, jax.Array):
        offsets = np.asarray(offsets)
        offsets = offsets.astype(np.int32) if offsets.size == 0 else offsets
    if not jnp.issubdtype(offsets.dtype, jnp.integer):
        raise TypeError(f"offsets must be integers, not {offsets.dtype}")
    known = concrete(offsets)
    if known is not None and known.size and int(known.max()) > MOST_ITEMS:
        raise OverflowError(
            f"offsets reach {int(known.max())}, but positions are 32-bit integers: one array holds at most "
            f"{MOST_ITEMS} items; split it into blocks"
        )
    if known is None and np.iinfo(offsets.dtype).max > MOST_ITEMS:
        most = jnp.minimum(offsets, MOST_ITEMS).astype(jnp.int32)
        too_many = jnp.any(offsets > MOST_ITEMS)
        return check_capacity(
            most, needed=jnp.where(too_many, MOST_ITEMS, 0), capacity=MOST_ITEMS - 1, operation="from_offsets"
        )
    return as_array(offsets, np.int32)
