"""The errors of ragged arrays, and checks that also work inside ``jit``.

Outside ``jit`` a check raises at once. Inside ``jit`` the values are not known while tracing, so the check becomes part
of the compiled program: it raises when the program runs, through a host callback that is reached only on failure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

T = TypeVar("T")


class StructureError(ValueError):
    """Two ragged arrays whose rows do not fit each other, or an array that is not the shape an operation needs."""


class CapacityError(ValueError):
    """A result that does not fit into the buffer that was set aside for it."""


def concrete(x: Any) -> np.ndarray | None:
    """Return the value of an array as NumPy, or None while it is being traced by ``jit``, ``vmap`` or ``scan``.

    Inside an eager ``grad`` or ``vjp`` the value is known although the array is a tracer.
    """
    if isinstance(x, jax.core.Tracer):
        # LinearizeTracer and JVPTracer carry a concrete primal, the tracers of jit and vmap do not
        value = x.to_concrete_value() if hasattr(x, "to_concrete_value") else None
        return None if value is None else np.asarray(value)
    return np.asarray(x)


def checked(value: jax.Array, failed: jax.Array, facts: tuple[jax.Array, ...], fail: Callable[..., None]) -> jax.Array:
    """Return an integer array unchanged, in a way that runs ``fail(*facts)`` on the host when ``failed`` holds.

    Parameters
    ----------
    value
        Integer array that the result depends on, so that the check cannot be optimised away.
    failed
        Boolean scalar.
    facts
        Arrays for the message.
    fail
        Raises the error; it gets the facts as NumPy arrays.
    """
    shape = jax.ShapeDtypeStruct(value.shape, value.dtype)

    def on_host(value: np.ndarray, failed: np.ndarray, *facts: np.ndarray) -> np.ndarray:
        # under vmap the branch of a cond is always taken, hence the second look
        if np.any(failed):
            fail(*facts)
        return np.asarray(value)

    def bad(value: jax.Array) -> jax.Array:
        return jax.pure_callback(on_host, shape, value, failed, *facts, vmap_method="sequential")

    return jax.lax.cond(failed, bad, lambda value: value, value)


def check_capacity(value: jax.Array, *, needed: jax.Array, capacity: int, operation: str) -> jax.Array:
    """Return ``value`` (integers); raise when ``needed`` items do not fit into ``capacity``.

    Parameters
    ----------
    value
        Integer array that the result depends on (its offsets), so that the check cannot be optimised away.
    needed
        Scalar: the number of items the result has.
    capacity
        The number of items it may have.
    operation
        Name of the operation, for the message.

    Raises
    ------
    CapacityError
        At once when ``needed`` is known; from the running program, as a runtime error of JAX that carries the same
        message, when it is not.
    """

    def fail(needed: np.ndarray) -> None:
        raise CapacityError(
            f"{operation}: the result needs room for {int(np.max(needed))} items but its capacity is {capacity}; "
            f"pass capacity={int(np.max(needed))} (or more)"
        )

    known = concrete(needed)
    if known is not None:
        if known > capacity:
            fail(known)
        return value
    return checked(value, needed > capacity, (needed,), fail)


def check_same_offsets(a: jax.Array, b: jax.Array, *, operation: str) -> jax.Array:
    """Return offsets ``a``; raise when ``b`` describes other rows.

    Raises
    ------
    StructureError
        When the number of rows or the length of a row differs (inside ``jit`` as for `check_capacity`).
    """
    if a is b:
        return a
    if a.shape != b.shape:
        raise StructureError(f"{operation}: cannot broadcast {a.shape[0] - 1} rows with {b.shape[0] - 1}")

    def fail(a: np.ndarray, b: np.ndarray) -> None:
        row = int(np.argmax(np.diff(a) != np.diff(b)))
        raise StructureError(
            f"{operation}: the arrays have the same number of rows but rows of other lengths; "
            f"row {row} has {int(np.diff(a)[row])} items in one and {int(np.diff(b)[row])} in the other"
        )

    known_a, known_b = concrete(a), concrete(b)
    if known_a is not None and known_b is not None:
        if known_a is not known_b and not np.array_equal(known_a, known_b):
            fail(known_a, known_b)
        return a
    return checked(a, jnp.any(a != b), (a, b), fail)
