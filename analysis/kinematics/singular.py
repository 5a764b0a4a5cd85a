"""Functions with a singular point, made safe there: the value stays, the derivatives are 0 to any order.

A derivative of `sqrt` or `arctan2` at the origin is infinite or undefined, and one such object (a zero momentum, two
identical directions) would turn the gradient of the whole analysis into NaN.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def safe_sqrt(x: jax.Array) -> jax.Array:
    """Return ``sqrt(max(x, 0))`` with derivative 0 where ``x <= 0``.

    Parameters
    ----------
    x
        Any real numbers; what rounding left below 0 counts as 0, NaN stays NaN.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.kinematics import safe_sqrt
    >>> print(safe_sqrt(4.0), safe_sqrt(-1e-9), jax.grad(safe_sqrt)(0.0))
    2.0 0.0 0.0
    """
    nothing = jnp.less_equal(x, 0)
    return jnp.where(nothing, 0, jnp.sqrt(jnp.where(nothing, 1, x)))


def safe_divide(x: jax.Array, y: jax.Array) -> jax.Array:
    """Return ``x / y``, and 0 with derivative 0 where ``y`` is 0.

    Parameters
    ----------
    x, y
        Real numbers, broadcastable.
    """
    nothing = jnp.equal(y, 0)
    return jnp.where(nothing, 0, x / jnp.where(nothing, 1, y))


def norm(*components: jax.Array) -> jax.Array:
    """Return ``sqrt(x**2 + y**2 + ...)`` with derivative 0 at the origin."""
    return safe_sqrt(sum((x**2 for x in components[1:]), components[0] ** 2))
