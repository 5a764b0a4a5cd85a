"""Newton's method for the likelihood, on exact second derivatives, inside bounds."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..histfactory.model import Model
from .elsewhere import downhill, scattered
from .empty import soft, step_inside
from .hessian import likelihood
from .linear import Arrow, no_arrow

_STARTS = 4  # at most, when fits fail
_FIRST_DAMPING, _LEAST_DAMPING, _MORE, _MOST = 1.0, 0.02, 6.0, 1e12
_FREE = 0.01  # of the information on a parameter without auxiliary measurement: its weight in the damping
_FAR = 0.5  # a parabola that promises more does not lead to the minimum yet
_LEAST_GAIN = 0.3  # of what the parabola promises
_FALL, _GENTLER, _GENTLE = 1e-3, 20.0, 0.4  # what is left of a rate that falls to zero, at least
_ROUNDED = 30  # an estimated distance of this many rounding errors of the value counts as zero


class Minimum(NamedTuple):
    """Where a minimisation ended.

    Attributes
    ----------
    parameters
        Shape (parameters,).
    value
        Negative log-likelihood at `parameters`, less that of the saturated model.
    gradient, hessian
        Its derivatives there. A rate that is pressed against zero pulls with its force (`forces`), and adds the
        curvature that makes its uncertainty the distance at which the value has risen by one half.
    response
        The same, but such a rate stays where it is: the matrix that tells how the minimum follows the data.
    forces
        How strongly the rates of bins without events are pressed against zero, shape (bins,); 0 for all others.
    stiffness
        The curvature that holds these rates in `response`, shape (bins,).
    side
        -1 for components that are pressed against their lower bound, 1 for the upper, else 0; shape (parameters,).
    inner
        Components that are neither held nor pressed against a bound, shape (parameters,), bool.
    edm
        Estimated distance to the minimum, by how much the value could still fall; infinite away from a minimum.
    converged
        Whether `edm` is zero to rounding accuracy, scalar bool.
    steps
        Number of evaluations of the Hessian.
    """

    parameters: jax.Array
    value: jax.Array
    gradient: jax.Array
    hessian: Arrow
    response: Arrow
    forces: jax.Array
    stiffness: jax.Array
    side: jax.Array
    inner: jax.Array
    edm: jax.Array
    converged: jax.Array
    steps: jax.Array


def minimise(
    model: Model, data: jax.Array, start: jax.Array, free: jax.Array, bounds: jax.Array, *, max_steps: int
) -> Minimum:
    """Minimise the negative log-likelihood.

    Each step leads to the lowest point, inside the bounds, of the parabola of the exact Hessian, or of the Fisher
    information where the Hessian is not positive definite. A step that does not lower the likelihood as promised, or
    leads where the expected events are negative, is shortened (Levenberg-Marquardt): multiples of the information of
    the auxiliary measurements are added, because interpolations bend on the scale of those, and along directions that
    the data determine well the step is not shortened. Where nothing is observed rates may fall to zero, where the
    likelihood ends: steps lead near it (see `empty.step_inside`). The fit has converged when the parabola of the
    Hessian promises no more than the rounding of the value. A saddle is left along the direction in which the
    likelihood is bent downward. A fit that is stuck is tried again from other starts. The start is inside the bounds
    where ``free``; bounds have shape (parameters, 2); ``max_steps`` are evaluations of the Hessian at most.

    References
    ----------
    D. P. Bertsekas, Projected Newton methods for optimization problems with simple constraints, SIAM J. Control Optim.
    20 (1982). D. Marquardt, SIAM J. Appl. Math. 11 (1963).
    """
    function, dtype = likelihood(model, data), start.dtype
    tight = 1e-15 if dtype == jnp.float64 else 1e-6

    def step(state: _State) -> _State:
        point = state.next
        value, gradient, (hessian, information), rounding, rates = function.derivatives(point, state.forces)

        measured = function.constraints.information(point)
        metric = jnp.where(measured > 0, measured, _FREE * jnp.abs(information.diagonal))

        # all four side by side: the program compiles once
        stiff, stiffness = rates.stiff(state.forces), rates.stiff_enough(state.forces, hessian)
        arrows = jax.tree.map(lambda *each: jnp.stack(each), hessian, hessian, hessian, information)
        pressed = jax.vmap(rates.pressed)(arrows, jnp.stack([soft(state.forces), stiffness, stiff, stiff]))
        reported, response, exact, expected = (jax.tree.map(lambda x, i=i: x[i], pressed) for i in range(4))

        def attempt(trial: _Trial) -> _Trial:
            damping = jnp.where(trial.exact, 0, trial.damping)
            matrix = jax.tree.map(lambda a, b: jnp.where(trial.exact, a, b), exact, expected)
            matrix, room = matrix.plus(damping * metric), (bounds - point[:, None]).T
            box, forces = step_inside(matrix, gradient, free, *room, rates, state.forces, trial.fall)
            forces = jnp.where(damping > 0, jnp.maximum(forces, state.forces), forces)
            possible = jnp.isfinite(box.gain)
            to_bound = jnp.where(box.side < 0, bounds[:, 0], bounds[:, 1])
            target = jnp.where(box.side == 0, jnp.clip(point + box.step, *bounds.T), to_bound)
            target = jnp.where(free, target, point)
            lower = value - function.value(target)  # minus infinity where a negative number of events is expected
            good = possible & (lower >= _LEAST_GAIN * box.gain - rounding)
            # nothing is known of the distance before the Hessian has been tried
            whole = possible & (damping == 0) & (trial.exact | trial.indefinite)
            edm = jnp.where(whole, jnp.abs(box.gain) + rates.left(forces), trial.edm)
            settled = ((forces > 0) == (state.forces > 0)).all()
            arrived = (edm <= tight) | ((edm <= _ROUNDED * rounding) & (edm >= 0.1 * state.edm))
            switch = trial.exact & ~possible
            more = jnp.maximum(trial.damping * _MORE, _FIRST_DAMPING)
            gentler = possible & ~good & (forces > 0).any() & (trial.fall < _GENTLE)
            return _Trial(
                target,
                jnp.where(whole, box.side, trial.side),
                forces,
                edm,
                jnp.where(good | switch | gentler, trial.damping, more),
                jnp.where(gentler, trial.fall * _GENTLER, trial.fall),
                trial.exact & (good | gentler),
                trial.indefinite | switch,
                good,
                whole & arrived & settled,
                ~trial.exact & (box.gain > _FAR),
            )

        level, fall = jnp.zeros(point.shape, int), jnp.asarray(_FALL, dtype)
        begin = _Trial(point, level, state.forces, infinite, state.damping, fall, ~state.far, no, no, no, no)
        trial = jax.lax.while_loop(
            lambda trial: ~trial.good & ~trial.arrived & (trial.damping < _MOST) & jnp.isfinite(value), attempt, begin
        )
        stuck = ~trial.good & ~trial.arrived
        inner, steps = free & (trial.side == 0), state.best.steps + 1
        arrived = jnp.isfinite(value) & (trial.arrived | (stuck & (trial.edm <= _ROUNDED * rounding)))
        saddle = arrived & trial.indefinite & (value < state.depth - rounding)
        converged = arrived & ~saddle
        failed = ~arrived & (stuck | (steps - state.origin >= max_steps // 2))
        here = Minimum(
            parameters=point,
            value=value,
            gradient=gradient - rates.pull(model.layout, trial.forces),
            hessian=reported,
            response=response,
            forces=trial.forces,
            stiffness=stiffness,
            side=trial.side,
            inner=inner,
            edm=trial.edm,
            converged=converged,
            steps=steps,
        )
        best = jax.tree.map(
            lambda new, old: jnp.where(converged | (state.starts == 0) | (value < state.best.value), new, old),
            here,
            state.best,
        )
        dip = downhill(hessian, point, inner, bounds, saddle)
        other = scattered(function, start, free, bounds, state.starts)
        return _State(
            best._replace(steps=steps),
            jnp.where(saddle, dip, jnp.where(failed, other, trial.next)),
            jnp.where(failed | saddle, 0, trial.forces),
            jnp.where(failed | saddle, infinite, trial.edm),
            jnp.where(failed | (trial.damping < _MORE * _LEAST_DAMPING), 0, trial.damping / _MORE),
            trial.far & ~failed & ~saddle,
            jnp.where(failed, infinite, jnp.where(saddle, value, state.depth)),
            state.starts + failed,
            jnp.where(failed, steps, state.origin),
        )

    def unfinished(state: _State) -> jax.Array:
        return ~state.best.converged & (state.starts < _STARTS) & (state.best.steps < max_steps)

    no, zero, infinite = jnp.array(False), jnp.array(0), jnp.array(jnp.inf, dtype)
    side, hessian = jnp.zeros(start.shape, int), no_arrow(model.layout, dtype)
    level, bins = jnp.zeros_like(start), jnp.zeros_like(function.main)
    unknown = Minimum(start, infinite, level, hessian, hessian, bins, bins, side, free, infinite, no, zero)
    begin = _State(unknown, start, bins, infinite, jnp.zeros((), dtype), no, infinite, zero, zero)
    best = jax.lax.while_loop(unfinished, step, begin).best
    lower, upper = bounds.T
    return best._replace(parameters=jnp.where(best.side < 0, lower, jnp.where(best.side > 0, upper, best.parameters)))


class _State(NamedTuple):
    best: Minimum
    next: jax.Array
    forces: jax.Array
    edm: jax.Array  # before the last step
    damping: jax.Array  # to begin with when the step of the Hessian does not help
    far: jax.Array  # from the minimum: the Hessian is not tried
    depth: jax.Array  # value at the last saddle
    starts: jax.Array  # how many failed
    origin: jax.Array  # number of steps at the last start


class _Trial(NamedTuple):
    next: jax.Array
    side: jax.Array
    forces: jax.Array
    edm: jax.Array
    damping: jax.Array
    fall: jax.Array  # of rates that are pressed against zero
    exact: jax.Array  # the parabola of the Hessian, without damping
    indefinite: jax.Array  # the Hessian is
    good: jax.Array
    arrived: jax.Array
    far: jax.Array
