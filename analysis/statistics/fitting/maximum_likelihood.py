"""Maximum likelihood: best values of the parameters, differentiable with respect to histograms and data."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.table import Table

from hepgrad.ragged.tracing import is_known

from ...printing import as_html
from ..histfactory.layout import ModelLayout
from ..histfactory.model import Model
from .empty import Held, any_empty
from .error import FitError, explanation
from .hessian import combined, likelihood, nll
from .linear import Arrow
from .newton import Minimum, minimise
from .restarts import from_several_starts

# what a fit does with a component
FREE, HELD, AT_BOUND = "free", "fixed", "at its bound"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class FitResult:
    """The best parameters and how good they are; a pytree.

    Attributes
    ----------
    parameters
        Shape (parameters,). Differentiable (first derivatives, forward and reverse) with respect to the templates of
        the model, the data and the values of held parameters, by the implicit function theorem; a parameter at its
        bound does not move.
    deviance
        `Model.deviance` at the minimum, scalar; differentiable.
    nll
        Negative logarithm of the probability of the data, as in `Model.logpdf`, scalar; differentiable.
    curvature
        `hessian` in the form that Newton's equations take; differentiable, but for the curvature of rates that are
        pressed against zero.
    slope
        Derivatives of `nll` by components that are pressed against a bound, 0 for the others, shape (parameters,);
        differentiable.
    inner
        Components that were fitted and are not pressed against a bound, shape (parameters,), bool.
    at_bound
        Components that were fitted and are pressed against a bound, shape (parameters,), bool.
    edm
        Estimated distance to the minimum: by how much `nll` could still fall.
    converged
        Whether `edm` is zero to rounding accuracy, scalar bool. Inside `jit` nothing else tells of a failure.
    steps
        Evaluations of the Hessian that it took, from all starts, scalar int.
    layout
        Structure of the model (static).
    """

    parameters: jax.Array
    deviance: jax.Array
    nll: jax.Array
    curvature: Arrow
    slope: jax.Array
    inner: jax.Array
    at_bound: jax.Array
    edm: jax.Array
    converged: jax.Array
    steps: jax.Array
    layout: ModelLayout = dataclasses.field(metadata={"static": True})

    def table(self) -> Table:
        """Return the best parameters and their uncertainties as a table; outside `jit`."""
        ended = "converged" if bool(self.converged) else "did not converge"
        table = Table(title=f"Fit of {len(self.parameters)} parameters, {ended}", title_justify="left")
        table.add_column("parameter")
        for column in ("value", "+-"):
            table.add_column(column, justify="right")
        names = [name for parameters in self.layout.parameter_sets for name in parameters.component_names]
        columns = (np.asarray(self.parameters).tolist(), np.asarray(self.uncertainties).tolist(), self.states)
        for name, value, uncertainty, state in zip(names, *columns, strict=True):
            known = "" if state == HELD else f"{uncertainty:.2g}"
            table.add_row(name, f"{value:.4g}", ", ".join(told for told in (known, state) if told not in ("", FREE)))
        return table

    def __repr__(self) -> str:
        if not is_known(self.nll) or np.shape(self.nll) != ():
            return f"FitResult(parameters of shape {np.shape(self.parameters)})"
        ended = "converged" if bool(self.converged) else "did not converge"
        return f"FitResult({len(self.parameters)} parameters, nll {float(self.nll):.6g}, {ended})"

    def _repr_html_(self) -> str:
        return as_html(self.table())

    @property
    def states(self) -> tuple[str, ...]:
        """``"free"``, ``"fixed"`` or ``"at its bound"``, of each component; outside `jit`."""
        pairs = zip(np.asarray(self.inner).tolist(), np.asarray(self.at_bound).tolist(), strict=True)
        return tuple(FREE if inner else AT_BOUND if at_bound else HELD for inner, at_bound in pairs)

    @property
    def hessian(self) -> jax.Array:
        r"""Exact second derivatives of `nll` at the minimum, shape (parameters, parameters).

        Where nothing is observed in a bin, the best rate may be zero, where the likelihood ends with a slope
        :math:`\lambda`. There a curvature :math:`4 \lambda^2` is added along the rate, that of the parabola that rises
        by one half where the slope does, so that `uncertainties` say how far the rate may rise.
        """
        return self.curvature.matrix

    @property
    def covariance(self) -> jax.Array:
        """Inverse of `hessian`, shape (parameters, parameters), computed when asked for.

        Rows and columns of components that were held or are pressed against a bound are 0; the variance of one that has
        no effect is infinite. NaN when the fit did not converge.
        """
        covariance = _covariance(self.curvature, self.inner)
        return jnp.where(self.converged, covariance, jnp.nan)

    @property
    def uncertainties(self) -> jax.Array:
        r"""Uncertainty of each component, shape (parameters,); NaN when the fit did not converge.

        Square roots of the diagonal of `covariance`. A component that is `at_bound` can only move to one side: its
        uncertainty is the distance d at which the parabola of the profile likelihood has risen by one half, with the
        slope g and the curvature h, :math:`g d + \tfrac12 h d^2 = \tfrac12`. That of one that was held is 0.
        """
        covariance = _covariance(self.curvature, self.inner)
        variance = jnp.where(self.inner, jnp.diag(covariance), 1)
        one_sided = _one_sided(self.curvature, self.slope, self.inner, self.at_bound)
        uncertainties = jnp.where(self.inner, jnp.sqrt(variance), jnp.where(self.at_bound, one_sided, 0))
        return jnp.where(self.converged, uncertainties, jnp.nan)


def fit(
    model: Model,
    data: Any,
    *,
    fixed: Mapping[str, Any] | None = None,
    init: Mapping[str, Any] | jax.Array | None = None,
    max_steps: int = 100,
    search: bool = False,
    empty_bins: bool | None = None,
) -> FitResult:
    r"""Find the parameters with the highest likelihood, inside their bounds.

    Newton's method on exact second derivatives (see `newton.minimise`), started at `init`. It finds the minimum next to
    the start, and stops at once where it starts at the minimum, as on Asimov data; a saddle is left. A fit that fails
    is tried again from other starts. The parameters' derivative is
    :math:`\mathrm d \hat\theta = -H^{-1} \, \mathrm d (\partial_\theta \text{nll})`.

    Parameters
    ----------
    model : Model
    data
        Events in all bins, then auxiliary data, as `Model.data` or `Model.expected_data` make it.
    fixed
        Values to hold parameters at, by name, for instance ``{"mu": 0.0}``; may be traced, and outside the bounds.
        Components that ``model.fixed`` marks are held at their start.
    init
        Where to start: a vector of all parameters, or values by name; ``model.initial`` for those not named.
    max_steps
        Evaluations of the Hessian at most; well-behaved fits take about five.
    search
        Whether to look for a higher maximum from other starts, too. A fit that does not converge is tried from them in
        any case, and the best of them counts (see `restarts.from_several_starts`).
    empty_bins
        Whether events may be missing in a bin, whose rate may then fall to zero, where the likelihood ends. By default
        it is looked up in the data, and true inside `jit`, where they are not known; a program without is smaller.

    Returns
    -------
    FitResult

    Raises
    ------
    FitError
        Outside `jit`, `vmap` and `grad`, when the fit did not converge. Inside, test ``converged``.
    ValueError
        When a shape is wrong, or a free parameter starts outside its bounds.
    KeyError
        When there is no parameter of a name.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.fitting import fit
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, NormSys
    >>> signal = FitSample("signal", [5.0, 10.0], [NormFactor("mu")])
    >>> background = FitSample("background", [50.0, 20.0], [NormSys("xsec", hi=1.1, lo=0.9)])
    >>> model = Model([FitChannel("SR", [signal, background])], parameter_of_interest="mu")
    >>> result = fit(model, model.expected_data(model.vector({"mu": 2.0})))
    >>> print(f"{result.parameters[0]:.2f} +- {result.uncertainties[0]:.2f}")
    2.00 +- 0.65
    """
    fixed = fixed or {}
    held = np.zeros(model.layout.size, bool)
    for name in fixed:
        held[model.index(name)] = True
    start = jnp.where(held, model.vector(fixed), model.vector({} if init is None else init))
    free = ~(model.fixed | held)
    _check_start(model, start, free)
    data = jnp.concatenate(model.split(data))
    # compiled on its own, so that eager derivatives do not compile it again
    minimum = _minimise(
        *jax.lax.stop_gradient((model, data, start)),
        free,
        max_steps=max_steps,
        search=search,
        empty_bins=any_empty(model.split(data)[0]) if empty_bins is None else empty_bins,
    )
    result = _result(model, data, start, free, minimum)
    if is_known(result.converged) and not result.converged:
        raise FitError(explanation(model, data, minimum))
    return result


@functools.partial(jax.jit, static_argnames="empty_bins")
def _minimise(
    model: Model, data: jax.Array, start: jax.Array, free: jax.Array, *, max_steps: int, search: bool, empty_bins: bool
) -> Minimum:
    def attempt(start: jax.Array) -> Minimum:
        return minimise(model, data, start, free, model.bounds, max_steps=max_steps, empty_bins=empty_bins)

    return from_several_starts(attempt, model, start, free, search=search)


@jax.jit
def _result(model: Model, data: jax.Array, start: jax.Array, free: jax.Array, minimum: Minimum) -> FitResult:
    # By the envelope theorem the likelihood at the minimum changes as if the free parameters stood still.
    still = jnp.where(free, minimum.parameters, start)
    held = minimum.held
    parameters = _moving(model, data, still, minimum)
    curvature, slope = _moving_derivatives(model, data, parameters, minimum)
    at_bound = minimum.side != 0
    deviance, negative = model.deviance(still, data), -model.logpdf(still, data)
    if held:
        nothing = held.nothing(model, still)
        deviance, negative = deviance + 2 * nothing, negative + nothing
    return FitResult(
        parameters=parameters,
        deviance=deviance,
        nll=negative,
        curvature=curvature,
        slope=jnp.where(at_bound, slope, 0),
        inner=minimum.inner,
        at_bound=at_bound,
        edm=minimum.edm,
        converged=minimum.converged,
        steps=minimum.steps,
        layout=model.layout,
    )


@jax.custom_jvp
def _moving(model: Model, data: jax.Array, still: jax.Array, minimum: Minimum) -> jax.Array:
    """Return the parameters at the minimum, with the derivative of a minimum."""
    return still


@_moving.defjvp
def _moving_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
    model, data, still, minimum = primals
    held = minimum.held

    def function(model: Model, parameters: jax.Array, data: jax.Array) -> jax.Array:
        value = nll(model, parameters, data)
        return value + held.nothing(model, parameters) if held else value

    _, slope = jax.jvp(jax.grad(function, argnums=1), (model, still, data), (tangents[0], tangents[2], tangents[1]))
    return still, tangents[2] - (held.response if held else minimum.hessian).solve(minimum.inner, slope)


@jax.custom_jvp
def _moving_derivatives(
    model: Model, data: jax.Array, parameters: jax.Array, minimum: Minimum
) -> tuple[Arrow, jax.Array]:
    """Return second and first derivatives, which are known already, with their derivatives."""
    return minimum.held.hessian if minimum.held else minimum.hessian, minimum.gradient


@_moving_derivatives.defjvp
def _moving_derivatives_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    held: Held | None = primals[3].held

    def found(model: Model, data: jax.Array, parameters: jax.Array) -> tuple[Arrow, jax.Array]:
        function = likelihood(model, data)
        if held is None:
            derivatives = function.derivatives(parameters)
            return derivatives.hessian, derivatives.gradient
        derivatives = function.derivatives(parameters, held.forces)
        return derivatives.hessian, derivatives.gradient - combined(model.layout, derivatives.slopes, held.forces)

    return jax.jvp(found, primals[:3], tangents[:3])


@jax.jit
def _covariance(curvature: Arrow, inner: jax.Array) -> jax.Array:
    inverse = curvature.solve(inner, jnp.eye(inner.size, dtype=curvature.local.dtype))
    without_effect = inner & (curvature.diagonal == 0)
    return jnp.where(jnp.diag(without_effect), jnp.inf, (inverse + inverse.T) / 2)


@jax.jit
def _one_sided(curvature: Arrow, slope: jax.Array, inner: jax.Array, at_bound: jax.Array) -> jax.Array:
    """Return how far components at a bound may move, shape (parameters,); infinite where nothing holds them."""
    columns = curvature.matrix
    profiled = jnp.diag(columns) - jnp.sum(columns * curvature.solve(inner, columns), axis=0)
    steep, bent = jnp.abs(slope), jnp.where(at_bound, profiled, 1)
    reach = steep + jnp.sqrt(steep**2 + jnp.maximum(bent, 0))
    return jnp.where(reach > 0, 1 / jnp.where(reach > 0, reach, 1), jnp.inf)


def _check_start(model: Model, start: jax.Array, free: jax.Array) -> None:
    if not (is_known(start) and is_known(free)):
        return
    lower, upper = model.bounds.T
    outside = free & ~((start >= lower) & (start <= upper))
    if outside.any():
        i = int(jnp.argmax(outside))
        raise ValueError(
            f"the fit cannot start at {model.parameter_names[i]} = {start[i]}, outside the bounds "
            f"[{lower[i]}, {upper[i]}]; start inside, hold it there with `fixed`, or widen the bounds (ParameterConfig)"
        )
