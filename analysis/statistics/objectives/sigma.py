"""The expected uncertainty of a parameter."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from ..histfactory import Model
from ..inference.curvature import fisher_information, profiled_direction
from ..inference.guards import component
from .contract import Evaluation, Objective
from .floor import FLOOR, floored
from .presentation import Merit

_WORST = 1e6  # an uncertainty above counts as this: the parameter has no effect


@dataclasses.dataclass(frozen=True)
class Sigma(Objective):
    r"""Minus the logarithm of the expected uncertainty of a parameter, with profiled systematics.

    For the Fisher information I at the start values of the parameters, that is, on Asimov data,

    .. math:: \frac1{\sigma_p^2} = \frac1{(I^{-1})_{pp}} = \min_{u_p = 1} u^T I u = \sum_b \frac{(u \cdot \nabla
              \nu_b)^2}{\nu_b} + \dots

    over bins and auxiliary measurements; no fit is needed. The derivative with respect to the templates is the one at
    the fixed optimal direction u (envelope theorem).

    Attributes
    ----------
    parameter
        Name of a parameter or component; by default the parameter of interest.
    floor
        Lowest expectation of a bin, in events, positive.

    Notes
    -----
    An uncertainty above one million counts as one million with gradient 0. The gradient is exact to first order; it
    must not be differentiated again.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.objectives import Sigma
    >>> samples = [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [90.0])]
    >>> print(f"{jnp.exp(-Sigma()(Model([FitChannel('SR', samples)], parameter_of_interest='mu'))):.3f}")
    1.000
    """

    parameter: str | None = None
    floor: float = FLOOR

    @property
    def merit(self) -> Merit:
        """How people are told the value."""
        name = self.parameter or "mu"
        return Merit(f"Expected uncertainty of {name}", f"sigma({name})", logarithmic=True)

    def evaluate(self, model: Model) -> Evaluation:
        """Return minus the logarithm of the uncertainty, and whether the information determines all parameters."""
        precision = _precision(model, component(model, self.parameter), self.floor)
        determined = jnp.isfinite(precision)
        sensible = jnp.where(determined & (precision > _WORST**-2), precision, _WORST**-2)
        return Evaluation(0.5 * jnp.log(sensible), determined)


@jax.jit
def _precision(model: Model, index: int | jax.Array, floor: float) -> jax.Array:
    """Return the inverse of the squared uncertainty."""
    point = model.initial
    model = floored(model, floor, point)
    fixed_model = jax.lax.stop_gradient(model)
    information = fisher_information(fixed_model, point)
    direction = profiled_direction(model.layout, information, index, free=~fixed_model.fixed)

    def expected(parameters: jax.Array) -> tuple[jax.Array, jax.Array]:
        return model.expected_actualdata(parameters), model.expected_auxdata(parameters)

    (main, aux), (main_slope, aux_slope) = jax.jvp(expected, (point,), (direction,))
    variance = jnp.where(model.layout.has_poisson_constraint, aux, model.constraints.variance[model.layout.constrained])
    return jnp.sum(main_slope**2 / main) + jnp.sum(aux_slope**2 / variance)
