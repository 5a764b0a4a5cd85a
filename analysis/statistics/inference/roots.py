"""Square roots and roots of equations with well-behaved derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

Carry = TypeVar("Carry")


def safe_sqrt(x: jax.Array) -> jax.Array:
    """Return the square root; where `x` is not positive 0, with derivative 0 and not infinity.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.inference.roots import safe_sqrt
    >>> print(safe_sqrt(4.0), jax.grad(safe_sqrt)(0.0))
    2.0 0.0
    """
    positive = jnp.asarray(x) > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), 0)


class Root(NamedTuple):
    """Where `increasing_root` ended.

    Attributes
    ----------
    x
        The last point of evaluation, scalar.
    value, slope
        Of the function there.
    carry
        What came with it.
    reached
        Whether the function reaches zero below the upper end; otherwise `x` is the upper end. Scalar bool.
    converged
        Whether `x` is the root to rounding accuracy, or the upper end; scalar bool.
    """

    x: jax.Array
    value: jax.Array
    slope: jax.Array
    carry: Any
    reached: jax.Array
    converged: jax.Array

    def refined(self, value: jax.Array) -> jax.Array:
        """Return the root with its derivatives: one Newton step from the function's value at a constant `x`.

        ``value`` is the function at `x`, differentiable in everything but `x`.
        """
        return jnp.where(self.reached, self.x - value / jnp.where(self.reached, self.slope, 1), self.x)


def increasing_root(
    function: Callable[[jax.Array, Carry], tuple[jax.Array, jax.Array, Carry]],
    start: jax.Array,
    carry: Carry,
    *,
    upper: jax.Array,
    max_steps: int = 60,
) -> Root:
    """Find the positive root of an increasing function that is negative at 0, by safeguarded Newton steps.

    ``function`` goes from a point and what the last evaluation left (for instance the start of a fit) to value, slope,
    and what to leave for the next; ``carry`` is for the first one. ``start`` is positive; the search ends at ``upper``,
    or after ``max_steps`` evaluations.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.inference.roots import increasing_root
    >>> root = increasing_root(lambda x, _: (x**2 - 2, 2 * x, None), jnp.array(9.0), None, upper=jnp.array(10.0))
    >>> print(root.refined(root.value), root.converged)
    1.4142135 True
    """
    tolerance = 10 * float(np.finfo(start.dtype).eps) ** 0.5

    def step(state: tuple[jax.Array, jax.Array, jax.Array, jax.Array, Root]) -> Any:
        x, low, high, steps, last = state
        value, slope, carry = function(x, last.carry)
        low, high = jnp.where(value < 0, x, low), jnp.where(value < 0, high, x)
        newton = x - value / jnp.where(slope > 0, slope, 1)
        # `high` is a point of evaluation or the end of the search, which may be the next
        possible = (slope > 0) & (newton > low) & (newton < high)
        overshoot = (value < 0) & ((slope <= 0) | (newton >= high)) & (high == upper)
        proposal = jnp.where(possible, newton, jnp.where(overshoot, upper, 0.5 * (low + high)))
        reached = ~((x >= upper) & (value < 0))
        converged = ~reached | (jnp.abs(proposal - x) <= tolerance * x)
        return proposal, low, high, steps + 1, Root(x, value, slope, carry, reached, converged)

    unknown = jnp.array(jnp.nan, start.dtype)
    begin = Root(unknown, unknown, unknown, carry, jnp.array(False), jnp.array(False))
    state = (jnp.minimum(start, upper), jnp.zeros_like(start), upper, jnp.array(0), begin)
    state = jax.lax.while_loop(lambda state: (state[3] < max_steps) & ~state[-1].converged, step, state)
    return state[-1]
