"""The unused end of a buffer: what is computed there is not data, and must not reach a derivative."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def guard(x: Any, valid: jax.Array | None, axes: int = 1) -> Any:
    """Return ``x`` unchanged, with no derivative flowing where ``valid`` is False.

    Functions applied to the unused end of a buffer may be singular there. The zero cotangent that arrives from behind
    would become NaN in them (0 * inf) and poison what the buffer was broadcast from. XLA removes the selection from the
    forward computation, since both branches are the same. The first axis of ``x`` is the buffer's, or ``x`` is
    broadcast into it: a scalar, among arrays of as many ``axes``, or one row. ``valid`` is bool, shape (capacity,), or
    None for no guard.
    """
    if valid is None or not isinstance(x, jax.Array) or not jnp.issubdtype(x.dtype, jnp.inexact):
        return x
    rows = x.shape[1:] if x.ndim else (1,) * (axes - 1)
    x = jnp.broadcast_to(x, valid.shape + rows) if x.shape[:1] in ((), (1,)) else x
    mask = jax.lax.broadcast_in_dim(valid, x.shape, (0,)) if x.ndim > 1 else valid
    return jax.lax.select(mask, x, jax.lax.stop_gradient(x))
