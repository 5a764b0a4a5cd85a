"""Newton's method for the likelihood, on exact second derivatives, inside bounds."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..histfactory.model import Model
from .hessian import derivatives, nll
from .linear import solve

_DAMPINGS = 0.0, 0.03, 0.3, 3.0, 30.0  # of the exact Hessian, relative to its diagonal
_INFORMATION_DAMPINGS = 0.0, 0.3, 3.0


class Minimum(NamedTuple):
    """Where a minimisation ended.

    Attributes
    ----------
    parameters
        Shape (parameters,).
    value
        Negative log-likelihood at `parameters`, less that of the saturated model.
    gradient, hessian
        Its derivatives there.
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
    hessian: jax.Array
    inner: jax.Array
    edm: jax.Array
    converged: jax.Array
    steps: jax.Array


def minimise(
    model: Model, data: jax.Array, start: jax.Array, free: jax.Array, bounds: jax.Array, *, max_steps: int
) -> Minimum:
    """Minimise the negative log-likelihood.

    Each step is the best of several, all evaluated at once: Newton's with the exact Hessian and with the Fisher
    information (which is positive definite far from the minimum, too), each with several dampings
    (Levenberg-Marquardt). A component that presses against its bound is left out of the step (projected Newton). Stops
    at once when it starts at the minimum, when the start is impossible, or when no step lowers the value.

    Parameters
    ----------
    model, data
        The likelihood.
    start : jax.Array
        Shape (parameters,); inside the bounds where `free`.
    free : jax.Array
        Components to vary, shape (parameters,), bool.
    bounds : jax.Array
        Shape (parameters, 2).
    max_steps
        Evaluations of the Hessian at most.

    References
    ----------
    D. P. Bertsekas, Projected Newton methods for optimization problems with simple constraints, SIAM J. Control Optim.
    20 (1982). D. Marquardt, SIAM J. Appl. Math. 11 (1963).
    """
    dtype = start.dtype
    tolerance, near, rounding = (1e-15, 1e-9, 1e-13) if dtype == jnp.float64 else (1e-6, 1e-3, 1e-5)
    dampings = jnp.asarray([*_DAMPINGS, *_INFORMATION_DAMPINGS], dtype)

    def step(state: _State) -> _State:
        parameters = state.next
        value, gradient, hessian, information = derivatives(model, parameters, data)
        pressed = (parameters <= bounds[:, 0]) & (gradient > 0) | (parameters >= bounds[:, 1]) & (gradient < 0)
        inner = free & ~pressed
        matrices = jnp.stack([hessian] * len(_DAMPINGS) + [information] * len(_INFORMATION_DAMPINGS))
        directions = jax.vmap(lambda m, damping: solve(model.layout, m, inner, -gradient, damping=damping))(
            matrices, dampings
        )
        edm = -0.5 * gradient @ directions[0]
        edm = jnp.where(jnp.isfinite(edm), edm, jnp.inf)
        trials = jnp.where(free, jnp.clip(parameters + directions, *bounds.T), parameters)
        values = jax.vmap(lambda trial: nll(model, trial, data))(trials)
        values = jnp.where(jnp.isfinite(values), values, jnp.inf)
        slack = rounding * (1 + jnp.abs(value))
        best = jnp.where((edm < near) & (values[0] <= value + slack), 0, jnp.argmin(values))
        converged = jnp.isfinite(value) & (edm <= tolerance)
        return _State(
            Minimum(parameters, value, gradient, hessian, inner, edm, converged, state.minimum.steps + 1),
            next=trials[best],
            stuck=~(values[best] < value + jnp.where(best == 0, slack, 0)),
        )

    def unfinished(state: _State) -> jax.Array:
        return ~state.minimum.converged & ~state.stuck & (state.minimum.steps < max_steps)

    number = start.size
    begin = Minimum(
        parameters=start,
        value=jnp.array(jnp.inf, dtype),
        gradient=jnp.zeros(number, dtype),
        hessian=jnp.zeros((number, number), dtype),
        inner=free,
        edm=jnp.array(jnp.inf, dtype),
        converged=jnp.array(False),
        steps=jnp.array(0),
    )
    return jax.lax.while_loop(unfinished, step, _State(begin, start, jnp.array(False))).minimum


class _State(NamedTuple):
    minimum: Minimum
    next: jax.Array
    stuck: jax.Array  # no step lowers the value
