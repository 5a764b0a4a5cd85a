"""Whether a value is known now, or only when a compiled program runs."""

from __future__ import annotations

from typing import Any, TypeGuard

import jax
import numpy as np


def is_traced(x: Any) -> TypeGuard[jax.core.Tracer[Any]]:
    """Return whether an array stands for values to come, or for values that a derivative follows."""
    return isinstance(x, jax.core.Tracer)


def is_known(value: Any) -> bool:
    """Return whether nothing in a pytree is traced: numbers that can be checked, printed and written."""
    return not any(map(is_traced, jax.tree.leaves(value)))


def concrete(x: Any) -> np.ndarray | None:
    """Return the value of an array as NumPy, or None while it is being traced by ``jit``, ``vmap`` or ``scan``.

    Inside an eager ``grad`` or ``vjp`` the value is known although the array is a tracer.
    """
    if is_traced(x):
        # LinearizeTracer and JVPTracer carry a concrete primal, the tracers of jit and vmap do not
        value = x.to_concrete_value() if hasattr(x, "to_concrete_value") else None
        return None if value is None else np.asarray(value)
    return np.asarray(x)
