"""Newton's method for the likelihood, on exact second derivatives, inside bounds."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..histfactory.model import Model
from .box import box_step
from .elsewhere import downhill, scattered
from .empty import GENTLE, Held, Press, Rates
from .hessian import combined, likelihood
from .linear import Arrow, no_arrow

_STARTS = 4  # at most, when fits fail
_FIRST_DAMPING, _LEAST_DAMPING, _MORE, _MOST = 1.0, 0.02, 6.0, 1e12
_FREE = 0.01  # of the information on a parameter without auxiliary measurement: its weight in the damping
_FAR = 0.5  # a parabola that promises more does not lead to the minimum yet
_LEAST_GAIN = 0.3  # of what the parabola promises
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
        Its derivatives there, less those of rates that are pressed against zero, times the force.
    held
        These rates; None where no bin can be without events.
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
    held: Held | None
    side: jax.Array
    inner: jax.Array
    edm: jax.Array
    converged: jax.Array
    steps: jax.Array


def minimise(
    model: Model,
    data: jax.Array,
    start: jax.Array,
    free: jax.Array,
    bounds: jax.Array,
    *,
    max_steps: int,
    empty_bins: bool,
) -> Minimum:
    """Minimise the negative log-likelihood.

    Each step leads to the lowest point, inside the bounds, of the parabola of the exact Hessian, or of the Fisher
    information where the Hessian is not positive definite. A step that does not lower the likelihood as promised, or
    leads where the expected events are negative, is shortened (Levenberg-Marquardt): multiples of the information of
    the auxiliary measurements are added, because interpolations bend on the scale of those, and along directions that
    the data determine well the step is not shortened. The fit has converged when the parabola of the Hessian promises
    no more than the rounding of the value. A saddle is left along the direction in which the likelihood is bent
    downward. A fit that is stuck is tried again from other starts. The start is inside the bounds where ``free``;
    bounds have shape (parameters, 2); ``max_steps`` are evaluations of the Hessian at most. ``empty_bins`` is whether
    bins may be without events: their rates may fall to zero, where the likelihood ends, and steps are led there (see
    `empty.Rates`). The program is smaller without.

    References
    ----------
    D. P. Bertsekas, Projected Newton methods for optimization problems with simple constraints, SIAM J. Control Optim.
    20 (1982). D. Marquardt, SIAM J. Appl. Math. 11 (1963).
    """
    function, dtype = likelihood(model, data), start.dtype
    tight = 1e-15 if dtype == jnp.float64 else 1e-6

    def step(state: _State) -> _State:
        point = state.next
        value, gradient, hessian, rounding, slopes = function.derivatives(point, state.forces)
        rates = None
        if state.forces is not None:
            rates = Rates.at(point, slopes, model.layout, function.main, state.forces)

        measured = function.constraints.information(point)
        metric = jnp.where(measured > 0, measured, _FREE * jnp.abs(function.information_diagonal(point, slopes)))

        def attempt(trial: _Trial) -> _Trial:
            damping = jnp.where(trial.exact, 0, trial.damping)
            # the information takes as long as the Hessian, and few steps need it
            matrix: Arrow = jax.lax.cond(trial.exact, lambda: hessian, lambda: function.information(point, slopes))
            matrix = matrix.plus(damping * metric)
            if rates and trial.press:
                matrix = rates.pressed(matrix, trial.press.weights)
            box = box_step(matrix, gradient, free, *(bounds - point[:, None]).T)
            possible = jnp.isfinite(box.gain)
            to_bound = jnp.where(box.side < 0, bounds[:, 0], bounds[:, 1])
            target = jnp.where(box.side == 0, jnp.clip(point + box.step, *bounds.T), to_bound)
            target = jnp.where(free, target, point)
            lower = value - function.value(target)  # minus infinity where a negative number of events is expected
            good = possible & (lower >= _LEAST_GAIN * box.gain - rounding)
            # nothing is known of the distance before the Hessian has been tried
            whole = possible & (damping == 0) & (trial.exact | trial.indefinite)
            distance, press, kept = jnp.abs(box.gain), trial.press, good
            if rates and trial.press:
                press, crossing = rates.follow(trial.press, box.step)
                press = press._replace(forces=jnp.maximum(press.forces, jnp.where(damping > 0, rates.forces, 0)))
                gentler = ~good & (press.forces > 0).any() & (trial.press.fall < GENTLE)
                good &= ~crossing
                kept = good | (possible & (crossing | gentler))
                # not before the Hessian knows of all forces
                whole &= ~crossing & ~((press.forces > 0) & (rates.forces == 0)).any()
                distance += rates.left(press.forces)
            edm = jnp.where(whole, distance, trial.edm)
            arrived = (edm <= tight) | ((edm <= _ROUNDED * rounding) & (edm >= 0.1 * state.edm))
            switch = trial.exact & ~possible
            more = jnp.where(switch, trial.damping, jnp.maximum(trial.damping * _MORE, _FIRST_DAMPING))
            return _Trial(
                target,
                jnp.where(whole, box.side, trial.side),
                press,
                edm,
                jnp.where(kept, trial.damping, more),
                trial.exact & kept,
                trial.indefinite | switch,
                good,
                whole & arrived,
                ~trial.exact & (box.gain > _FAR),
            )

        press = rates.begin() if rates else None
        begin = _Trial(point, jnp.zeros(point.shape, int), press, infinite, state.damping, ~state.far, no, no, no, no)
        trial = jax.lax.while_loop(
            lambda trial: ~trial.good & ~trial.arrived & (trial.damping < _MOST) & jnp.isfinite(value), attempt, begin
        )
        stuck = ~trial.good & ~trial.arrived
        inner, steps = free & (trial.side == 0), state.best.steps + 1
        arrived = jnp.isfinite(value) & (trial.arrived | (stuck & (trial.edm <= _ROUNDED * rounding)))
        saddle = arrived & trial.indefinite & (value < state.depth - rounding)
        converged = arrived & ~saddle
        failed = ~arrived & (stuck | (steps - state.origin >= max_steps // 2))
        held = None
        if rates and trial.press:
            held = rates.held(hessian, trial.press.forces)
            gradient -= combined(model.layout, slopes, held.forces)
        here = Minimum(point, value, gradient, hessian, held, trial.side, inner, trial.edm, converged, steps)
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
            jnp.where(failed | saddle, 0, held.forces) if held else None,
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
    forces = jnp.zeros_like(function.main) if empty_bins else None
    held = None if forces is None else Held(forces, forces, hessian, hessian)
    unknown = Minimum(start, infinite, jnp.zeros_like(start), hessian, held, side, free, infinite, no, zero)
    begin = _State(unknown, start, forces, infinite, jnp.zeros((), dtype), no, infinite, zero, zero)
    best = jax.lax.while_loop(unfinished, step, begin).best
    lower, upper = bounds.T
    return best._replace(parameters=jnp.where(best.side < 0, lower, jnp.where(best.side > 0, upper, best.parameters)))


class _State(NamedTuple):
    best: Minimum
    next: jax.Array
    forces: jax.Array | None
    edm: jax.Array  # before the last step
    damping: jax.Array  # to begin with when the step of the Hessian does not help
    far: jax.Array  # from the minimum: the Hessian is not tried
    depth: jax.Array  # value at the last saddle
    starts: jax.Array  # how many failed
    origin: jax.Array  # number of steps at the last start


class _Trial(NamedTuple):
    next: jax.Array
    side: jax.Array
    press: Press | None
    edm: jax.Array
    damping: jax.Array
    exact: jax.Array  # the parabola of the Hessian, without damping
    indefinite: jax.Array  # the Hessian is
    good: jax.Array
    arrived: jax.Array
    far: jax.Array
