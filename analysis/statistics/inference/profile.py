"""The profile likelihood of one parameter."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..fitting.newton import Minimum, minimise
from ..fitting.restarts import from_several_starts
from ..histfactory import Model

STEPS = 100  # of a fit, at most


class ProfilePoint(NamedTuple):
    r"""The profile likelihood, :math:`-2 \ln L / L_\text{saturated}`, at one value of a parameter.

    Attributes
    ----------
    deviance
        Scalar.
    slope
        Its derivative with respect to the value: by the envelope theorem that at fixed other parameters; scalar.
    parameters
        Of the conditional fit, shape (parameters,).
    converged
        Whether it did, scalar bool.
    """

    deviance: jax.Array
    slope: jax.Array
    parameters: jax.Array
    converged: jax.Array


def starting_point(parameters: jax.Array) -> ProfilePoint:
    """Return what stands for the previous point when a search begins."""
    nothing = jnp.zeros((), parameters.dtype)
    return ProfilePoint(nothing, nothing, parameters, jnp.array(True))


def profile_point(
    model: Model, data: jax.Array, index: int | jax.Array, value: Any, last: ProfilePoint, *, empty_bins: bool
) -> ProfilePoint:
    """Fit with one component of the parameters at a value; not differentiable.

    ``last`` is a point nearby, where the fit starts; ``empty_bins`` is as in `fit`.
    """
    start, free = last.parameters.at[index].set(value), (~model.fixed).at[index].set(False)

    def attempt(start: jax.Array) -> Minimum:
        return minimise(model, data, start, free, model.bounds, max_steps=STEPS, empty_bins=empty_bins)

    minimum = from_several_starts(attempt, model, start, free)
    return ProfilePoint(2 * minimum.value, 2 * minimum.gradient[index], minimum.parameters, minimum.converged)
