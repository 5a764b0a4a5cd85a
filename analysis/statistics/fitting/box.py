"""The minimum of a parabola inside bounds."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .linear import Arrow

_AT_ONCE, _ONE_BY_ONE = 8, 60  # rounds, at most


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
) -> BoxStep:
    r"""Minimise :math:`g \cdot d + \tfrac12 d^T M d` with :math:`l \le d \le u`.

    The set of components at a bound is guessed, the others are solved for, and the guess is corrected until it is
    right: a component that crosses its bound joins the set, one that is drawn back inside leaves it. So components that
    are correlated with one at its bound take their best value there (clipping a Newton step leaves them behind). All
    corrections of a round are made at once. That takes two or three rounds, but where several components are strongly
    correlated the guesses may go round in a circle. Then they are made one at a time, from a point inside the bounds
    that moves downhill, which cannot. The matrix M is positive definite; g, l (not positive) and u (not negative) have
    shape (parameters,), and only components that are ``free`` (bool) may move.

    References
    ----------
    M. Hintermueller, K. Ito, K. Kunisch, The primal-dual active set strategy as a semismooth Newton method, SIAM J.
    Optim. 13 (2002). J. Nocedal, S. J. Wright, Numerical optimization, algorithm 16.3.
    """
    diagonal = jnp.sqrt(jnp.abs(matrix.diagonal))
    epsilon = float(np.finfo(gradient.dtype).eps)

    def improve(state: _State) -> _State:
        held = jnp.where(state.side < 0, lower, jnp.where(state.side > 0, upper, 0))
        others = matrix.solve(free & (state.side == 0), -(gradient + matrix @ held))
        step = held + others
        pull = matrix @ step
        slope = gradient + pull
        crossing = jnp.where(step < lower, -1, jnp.where(step > upper, 1, 0))
        inward = state.side * slope  # positive where a component at its bound is drawn back inside

        at_once = jnp.where(state.side == 0, crossing, jnp.where(inward > 0, 0, state.side))

        # one at a time: the first bound on the way, or, at the end of the way, the component that is drawn most
        way = step - state.inside
        room = jnp.where(crossing < 0, lower, upper) - state.inside
        blocked = (state.side == 0) & (crossing != 0)
        share = jnp.where(blocked, room / jnp.where(blocked, way, 1), 1)
        first, least = jnp.argmin(share), jnp.min(share)
        noise = 10 * epsilon * (jnp.abs(gradient) + diagonal * jnp.sum(diagonal * jnp.abs(step)))
        drawn = jnp.where((state.side != 0) & (inward > noise), inward / jnp.where(diagonal > 0, diagonal, 1), 0)
        last = jnp.argmax(drawn)
        number = jnp.arange(step.size)
        release = jnp.where((number == last) & (drawn[last] > 0), 0, state.side)
        one = jnp.where(blocked.any(), jnp.where(number == first, crossing, state.side), release)
        slowly = state.round >= _AT_ONCE
        inside = jnp.where(slowly, jnp.clip(state.inside + jnp.clip(least, 0, 1) * way, lower, upper), state.inside)

        side = jnp.where(free, jnp.where(slowly, one, at_once), 0)
        side = jnp.where(state.round == _AT_ONCE - 1, start, side)
        gain = -step @ (gradient + 0.5 * pull)
        return _State(state.round + 1, side, step, inside, gain, (side == state.side).all() | jnp.isnan(gain))

    start = jnp.where((lower >= 0) & (gradient > 0), -1, jnp.where((upper <= 0) & (gradient < 0), 1, 0))
    start = jnp.where(free, start, 0)
    nothing = jnp.zeros_like(gradient)
    begin = _State(jnp.array(0), start, nothing, nothing, nothing[0], jnp.array(False))
    most = _AT_ONCE + _ONE_BY_ONE
    end = jax.lax.while_loop(lambda state: ~state.done & (state.round < most), improve, begin)
    return BoxStep(end.step, end.side, jnp.where(end.done, end.gain, jnp.nan))


class _State(NamedTuple):
    round: jax.Array
    side: jax.Array
    step: jax.Array
    inside: jax.Array  # a point inside the bounds, to go on from slowly
    gain: jax.Array
    done: jax.Array
