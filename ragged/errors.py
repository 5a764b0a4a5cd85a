"""The errors of ragged arrays, and checks that also work inside ``jit``.

Outside ``jit`` a check raises at once. Inside ``jit`` the values are not known while tracing, so the check becomes part
of the compiled program (`hepgrad.ragged.checks.check`).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .checks.check import check
from .tracing import concrete


class StructureError(ValueError):
    """Two ragged arrays whose rows do not fit each other, or an array that is not the shape an operation needs."""


class CapacityError(ValueError):
    """A result that does not fit into the buffer that was set aside for it."""


class TracedError(TypeError):
    """Numbers that Python needs now, and that only the running program will know."""


def check_capacity(value: jax.Array, *, needed: jax.Array, capacity: int, operation: str) -> jax.Array:
    """Return ``value`` (integers); raise when ``needed`` items do not fit into ``capacity``.

    The result has to depend on ``value`` (its offsets), so that the check cannot be optimised away. Raises
    `CapacityError` at once when ``needed`` is known; from the running program, as a runtime error of JAX that carries
    the same message, when it is not.
    """

    def fail(needed: int) -> None:
        raise CapacityError(
            f"{operation}: the result needs room for {needed} items but its capacity is {capacity}; "
            f"pass capacity={needed} (or more)"
        )

    known = concrete(needed)
    if known is not None:
        if known > capacity:
            fail(int(known))
        return value
    return check(value, needed > capacity, (needed,), fail)


def check_same_offsets(a: jax.Array, b: jax.Array, *, operation: str) -> jax.Array:
    """Return offsets ``a``; raise when ``b`` describes other rows.

    Raises `StructureError` when the number of rows or the length of a row differs (inside ``jit`` as for
    `check_capacity`).
    """
    if a is b or a.shape == b.shape == (1,):  # the same, or no rows at all
        return a
    if a.shape != b.shape:
        raise StructureError(f"{operation}: cannot broadcast {a.shape[0] - 1} rows with {b.shape[0] - 1}")

    def fail(row: int, first: int, second: int) -> None:
        raise StructureError(
            f"{operation}: the arrays have the same number of rows but rows of other lengths; "
            f"row {row} has {first} items in one and {second} in the other"
        )

    known_a, known_b = concrete(a), concrete(b)
    if known_a is not None and known_b is not None:
        if known_a is not known_b and not np.array_equal(known_a, known_b):
            fail(*map(int, _first_difference(known_a, known_b)))
        return a
    return check(a, jnp.any(a != b), (a, b), fail, summary=_first_difference)


def _first_difference(a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Return the first row that has another length, and its two lengths."""
    first, second = a[1:] - a[:-1], b[1:] - b[:-1]
    row = (first != second).argmax()
    return row, first[row], second[row]


def check_same_length(length: jax.Array, other: Any, offsets: Any, *, operation: str) -> tuple[jax.Array, Any]:
    """Return a number of rows, and offsets that go with it; raise when ``other`` is another number.

    ``length`` is traced; ``offsets``, which may be None, are returned in a way that depends on the check as well.
    Raises `StructureError` when the numbers differ (inside ``jit`` as for `check_capacity`).
    """

    def fail(length: int, other: int) -> None:
        raise StructureError(
            f"{operation}: cannot broadcast {length} selected rows with {other}; select the rows of both "
            "arrays, or of the records that hold both"
        )

    other = jnp.asarray(other, jnp.int32)
    known, known_other = concrete(length), concrete(other)
    if known is not None and known_other is not None:
        if known != known_other:
            fail(int(known), int(known_other))
        return length, offsets
    failed = length != other
    length = check(length, failed, (length, other), fail)
    return length, None if offsets is None else check(offsets, failed, (length, other), fail)
