"""Which rows an array has, and whether the rows of several arrays are the same.

Arrays combine row by row when they have equally many rows. Where data decided that number inside ``jit``, arrays that
come from one selection share the traced number itself, so that nothing has to be compared; otherwise the numbers are
compared as values by the running program. Buffers are never compared: how long they are says nothing of the rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .array import RaggedArray, RecordArray, content_length, content_of
from .errors import StructureError, check_same_length
from .flat import FlatArray
from .resize import fit


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """How many rows there are.

    ``count`` is the number in the buffer (static), ``length`` how many of these are real (int32 scalar; None for all).
    """

    count: int
    length: jax.Array | None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.count, self.length))

    @property
    def valid(self) -> jax.Array | None:
        """Which rows are real (bool, shape (count,)); None when all are."""
        return None if self.length is None else jnp.arange(self.count, dtype=jnp.int32) < self.length

    @property
    def single(self) -> bool:
        """Whether there is one row for certain, which may be repeated for all rows of another array."""
        return self.count == 1 and self.length is None

    @property
    def number(self) -> Any:
        """The number of real rows."""
        return self.count if self.length is None else self.length


def has_rows(x: Any) -> bool:
    """Return whether this is an array with an axis of rows, not a number."""
    if isinstance(x, RaggedArray | RecordArray):
        return True
    return bool(x.ndim if isinstance(x, FlatArray) else np.ndim(x))


def length_of(x: Any) -> jax.Array | None:
    """Return how many rows of an array's buffer are real, when that is traced; None when all are."""
    return x.length if isinstance(x, FlatArray | RaggedArray | RecordArray) else None


def rows_of(x: Any) -> Rows:
    """Return the rows of an array that has any."""
    if isinstance(x, FlatArray | RaggedArray | RecordArray):
        return Rows(content_length(content_of(x)), x.length)
    return Rows(np.shape(x)[0], None)


def is_per_row(x: Any) -> bool:
    """Return whether a flat or record array has one value for each row, rather than one for all rows."""
    return not isinstance(x, RaggedArray) and has_rows(x) and not rows_of(x).single


def common_rows(rows: Sequence[Rows], *, operation: str, offsets: jax.Array | None = None) -> tuple[Rows, Any]:
    """Return the rows that several arrays have in common.

    Those that are to be repeated (one row for all) are not among them. ``offsets`` come back such that they depend on
    the check as well. Raises `StructureError` when the numbers of rows differ (inside ``jit`` from the running
    program).
    """
    first = next((each for each in rows if each.length is not None), rows[0])
    if first.length is None:
        for other in rows:
            if other.count != first.count:
                raise StructureError(f"{operation}: cannot broadcast {first.count} rows with {other.count}")
        return first, offsets
    length = first.length
    for other in rows:
        if other.length is first.length:
            continue
        if other.length is None and other.count > first.count:
            raise StructureError(
                f"{operation}: cannot broadcast {other.count} rows with at most {first.count} selected ones"
            )
        length, offsets = check_same_length(length, other.number, offsets, operation=operation)
    return Rows(min(each.count for each in rows), length), offsets


def brought_together(arrays: Sequence[Any], *, operation: str) -> tuple[Rows, list[Any]]:
    """Return the common rows of flat and record arrays and numbers, and the content of each, in buffers of one length.

    Numbers, and arrays of a single row, stay what they are. They have the same number of axes where data decides how
    many rows there are. Raises `StructureError` when the numbers of rows differ.
    """
    several = [rows_of(x) for x in arrays if is_per_row(x)]
    if not several:
        return Rows(1, None), [content_of(x) for x in arrays]
    rows, _ = common_rows(several, operation=operation)
    return rows, [cut(x, rows) if is_per_row(x) else content_of(x) for x in arrays]


def joined(columns: Mapping[str, Any], *, operation: str) -> RecordArray:
    """Return records of arrays with the same rows.

    Raises `StructureError` when the numbers of rows differ.
    """
    rows, _ = common_rows([rows_of(x) for x in columns.values()], operation=operation)
    return RecordArray({name: cut(x, rows) for name, x in columns.items()}, rows.length)


def cut(x: Any, rows: Rows) -> Any:
    """Return the content of an array in a buffer with these rows.

    The array is known to have the rows.
    """
    return fit(content_of(x), rows.count)
