"""Confidence intervals from the profile likelihood."""

from __future__ import annotations

import dataclasses
import functools
import math
from statistics import NormalDist
from typing import Any

import jax
import jax.numpy as jnp

from ..fitting import FitResult, fit
from ..fitting.empty import any_empty
from ..histfactory import Model
from .curvature import deviation, profiled_direction
from .guards import component, require, warn_if_single
from .profile import ProfilePoint, profile_point, starting_point
from .roots import Root, increasing_root, safe_sqrt

ONE_SIGMA = math.erf(math.sqrt(0.5))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Interval:
    """A confidence interval of one parameter; all scalars.

    Attributes
    ----------
    estimate
        Best fit.
    lower, upper
        Ends: where the profile likelihood reaches its level, or the bound of the parameter.
    lower_reached, upper_reached
        Whether the level is reached before the bound, bool.
    converged
        Whether all fits and searches did, bool.
    """

    estimate: jax.Array
    lower: jax.Array
    upper: jax.Array
    lower_reached: jax.Array
    upper_reached: jax.Array
    converged: jax.Array


def interval(model: Model, data: Any, parameter: str | None = None, *, level: float = ONE_SIGMA) -> Interval:
    r"""Return the interval in which the profile likelihood stays close to its maximum (MINOS).

    .. math:: -2 \ln \frac{L(x, \hat{\hat\theta})}{L(\hat x, \hat\theta)} \le \left[ \Phi^{-1}\left(\tfrac{1 +
              \text{level}}{2}\right) \right]^2

    Parameters
    ----------
    model, data
        Data as `Model.data` makes them.
    parameter
        Name of a parameter or component (``"mc[0]"``); by default the parameter of interest.
    level
        Probability to cover the true value, asymptotically.

    Returns
    -------
    Interval
        Differentiable in the templates and the data.

    Raises
    ------
    ValueError
        When the parameter or the level is not possible.
    FitError
        When a fit or a search does not converge; inside `jit` see `Interval.converged`.

    References
    ----------
    F. James, M. Roos, Minuit, Comput. Phys. Commun. 10 (1975) 343.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference import interval
    >>> with jax.enable_x64(True):
    ...     signal = FitSample("signal", [10.0], [NormFactor("mu")])
    ...     model = Model([FitChannel("SR", [signal])], parameter_of_interest="mu")
    ...     result = interval(model, [10.0])
    ...     print(result.estimate.round(3), result.lower.round(3), result.upper.round(3))
    1.0 0.716 1.35
    """
    warn_if_single("interval")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    index = component(model, parameter)
    data = jnp.asarray(data, model.templates.nominal.dtype)
    height, empty_bins = NormalDist().inv_cdf(0.5 * (1 + level)), any_empty(model.split(data)[0])
    result = _interval(model, data, fit(model, data), height, index, empty_bins=empty_bins)
    require(result.converged, f"no interval of {model.parameter_names[index]!r} was found: fits or searches failed")
    return result


@functools.partial(jax.jit, static_argnames="empty_bins")
def _interval(
    model: Model, data: jax.Array, best: FitResult, height: float, index: int | jax.Array, *, empty_bins: bool
) -> Interval:
    fixed_model, fixed_data, fixed_best = jax.lax.stop_gradient((model, data, best))
    estimate = fixed_best.parameters[index]
    # the parabola at the best fit says where to begin
    direction = profiled_direction(best.layout, fixed_best.hessian, index, free=best.inner)
    distance = height * deviation(fixed_best.hessian, direction)

    def end(sign: jax.Array, bound: jax.Array) -> tuple[jax.Array, Root]:
        def excess(distance: jax.Array, last: ProfilePoint) -> tuple[jax.Array, jax.Array, ProfilePoint]:
            value = estimate + sign * distance
            point = profile_point(fixed_model, fixed_data, index, value, last, empty_bins=empty_bins)
            root, slope = jax.jvp(safe_sqrt, (point.deviance - fixed_best.deviance,), (sign * point.slope,))
            return root - height, slope, point

        nearby = jnp.clip(fixed_best.parameters + sign * distance * direction, *model.bounds.T)
        nearby = jnp.where(best.inner, nearby, fixed_best.parameters)
        root = increasing_root(excess, distance, starting_point(nearby), upper=jnp.abs(bound - estimate))
        value = safe_sqrt(model.deviance(root.carry.parameters, data) - best.deviance) - height
        return estimate + sign * root.refined(value), root

    (lower, upper), roots = jax.vmap(end)(jnp.array([-1.0, 1.0]), model.bounds[index])
    converged = best.converged & (roots.converged & roots.carry.converged).all()
    reached = roots.reached
    return Interval(best.parameters[index], lower, upper, reached[0], reached[1], converged)
