"""The minimum of a parabola inside bounds."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .linear import Arrow

_ROUNDS = 12


class BoxStep(NamedTuple):
    """The step to the lowest point of a parabola inside bounds.

    Attributes
    ----------
    step
        Shape (parameters,).
    side
        -1 for components that end at their lower bound, 1 at the upper, else 0; shape (parameters,).
    gain
        By how much the parabola falls, scalar; NaN when there is no such step, or it was not found.
    """

    step: jax.Array
    side: jax.Array
    gain: jax.Array


def box_step(
    matrix: Arrow,
    gradient: jax.Array,
    free: jax.Array,
    lower: jax.Array,
    upper: jax.Array,
    *,
    damping: jax.Array | float = 0.0,
) -> BoxStep:
    r"""Minimise :math:`g \cdot d + \tfrac12 d^T M d` with :math:`l \le d \le u`.

    The set of components at a bound is guessed, the others are solved for, and the guess is corrected until it is
    right: a component that crosses its bound joins the set, one that is drawn back inside leaves it. So components that
    are correlated with one at its bound take their best value there (clipping a Newton step leaves them behind).

    Parameters
    ----------
    matrix : Arrow
        M, positive definite.
    gradient : jax.Array
        g, shape (parameters,).
    free : jax.Array
        Components that may move, shape (parameters,), bool.
    lower, upper : jax.Array
        Shape (parameters,); l is not positive and u not negative.
    damping
        Added to the diagonal of M, relative to it.

    References
    ----------
    M. Hintermueller, K. Ito, K. Kunisch, The primal-dual active set strategy as a semismooth Newton method, SIAM J.
    Optim. 13 (2002).
    """

    def improve(state: _State) -> _State:
        held = jnp.where(state.side < 0, lower, jnp.where(state.side > 0, upper, 0))
        others = matrix.solve(free & (state.side == 0), -(gradient + matrix @ held), damping=damping)
        step = held + others
        pull = matrix @ step
        slope = gradient + pull + damping * jnp.abs(matrix.diagonal) * held
        crossing = jnp.where(step < lower, -1, jnp.where(step > upper, 1, 0))
        side = jnp.where(state.side == 0, crossing, jnp.where(state.side * slope < 0, state.side, 0))
        side = jnp.where(free, side, 0)
        gain = -step @ (gradient + 0.5 * pull)
        return _State(state.round + 1, side, step, gain, (side == state.side).all() | jnp.isnan(gain))

    side = jnp.where((lower >= 0) & (gradient > 0), -1, jnp.where((upper <= 0) & (gradient < 0), 1, 0))
    nothing = jnp.zeros_like(gradient)
    begin = _State(jnp.array(0), jnp.where(free, side, 0), nothing, nothing[0], jnp.array(False))
    end = jax.lax.while_loop(lambda state: ~state.done & (state.round < _ROUNDS), improve, begin)
    return BoxStep(end.step, end.side, jnp.where(end.done, end.gain, jnp.nan))


class _State(NamedTuple):
    round: jax.Array
    side: jax.Array
    step: jax.Array
    gain: jax.Array
    done: jax.Array
