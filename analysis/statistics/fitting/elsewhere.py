"""Where to go from a point that a fit cannot improve, and that is no minimum."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .hessian import Likelihood
from .linear import Arrow

_PUSH = 0.1  # standard deviations


def downhill(hessian: Arrow, point: jax.Array, inner: jax.Array, bounds: jax.Array, needed: jax.Array) -> jax.Array:
    """Leave a saddle along the direction in which the likelihood is bent downward most.

    Components that may move are ``inner`` (bool, shape (parameters,)); bounds have shape (parameters, 2). Where it is
    not ``needed`` (scalar bool) the point is returned.
    """

    def look(_: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        complement, over_pivots = hessian.complement(inner, 0.0)[:2]
        axis = jnp.linalg.eigh(complement)[1][:, 0]
        axis = axis * jnp.sign(axis[jnp.argmax(jnp.abs(axis))])  # the same way on every machine
        pushed = point + _PUSH * hessian.scale(inner) * hessian.lift(axis, over_pivots)
        return jnp.where(inner, jnp.clip(pushed, *bounds.T), point), jnp.array(False)

    # a loop that ends after one round, because side by side both branches of a condition are always computed
    return jax.lax.while_loop(lambda state: state[1], look, (point, needed))[0]


def scattered(
    function: Likelihood, start: jax.Array, free: jax.Array, bounds: jax.Array, attempt: jax.Array
) -> jax.Array:
    """Return another start, about a standard deviation of the auxiliary measurements away; the same in every run.

    ``function`` is the negative log-likelihood, ``start`` where the first fit started, ``attempt`` the number of the
    start.
    """
    information = function.constraints.information(start)
    known = information > 0
    width = jnp.where(known, jax.lax.rsqrt(jnp.where(known, information, 1)), 0.3 * jnp.maximum(jnp.abs(start), 0.1))
    # multiples of an irrational number lie as far apart as random ones
    phase = (1 + jnp.arange(start.size)) * (1 + attempt) * 1.618033988749895
    return jnp.where(free, jnp.clip(start + width * jnp.sin(2 * jnp.pi * phase), *bounds.T), start)
