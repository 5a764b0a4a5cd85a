"""Maximum likelihood: best values of the parameters, differentiable with respect to histograms and data."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..histfactory.layout import ModelLayout
from ..histfactory.model import Model
from ..histfactory.templates import is_known
from .error import FitError, explanation
from .hessian import derivatives, nll
from .linear import solve
from .newton import Minimum, minimise
from .restarts import from_several_starts


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
    hessian
        Exact second derivatives of `nll` at the minimum, shape (parameters, parameters); differentiable.
    inner
        Components that were fitted and are not pressed against a bound, shape (parameters,), bool.
    edm
        Estimated distance to the minimum: by how much `nll` could still fall.
    converged
        Whether `edm` is zero to rounding accuracy, scalar bool. Inside `jit` nothing else tells of a failure.
    steps
        Evaluations of the Hessian that it took, scalar int.
    layout
        Structure of the model (static).
    """

    parameters: jax.Array
    deviance: jax.Array
    nll: jax.Array
    hessian: jax.Array
    inner: jax.Array
    edm: jax.Array
    converged: jax.Array
    steps: jax.Array
    layout: ModelLayout = dataclasses.field(metadata={"static": True})

    @property
    def covariance(self) -> jax.Array:
        """Inverse of `hessian`, shape (parameters, parameters), computed when asked for.

        Rows and columns of components that were held or are pressed against a bound are 0; the variance of one that has
        no effect is infinite.
        """
        return _covariance(self.layout, self.hessian, self.inner)

    @property
    def uncertainties(self) -> jax.Array:
        """Square roots of the diagonal of `covariance`, shape (parameters,)."""
        variance = jnp.diag(self.covariance)
        return jnp.where(self.inner, jnp.sqrt(jnp.where(self.inner, variance, 1)), 0)


def fit(
    model: Model,
    data: Any,
    *,
    fixed: Mapping[str, Any] | None = None,
    init: Mapping[str, Any] | jax.Array | None = None,
    max_steps: int = 100,
    search: bool = False,
) -> FitResult:
    r"""Find the parameters with the highest likelihood, inside their bounds.

    Newton's method on exact second derivatives (see `newton.minimise`), started at `init`. It finds the minimum next to
    the start; it stops at once where it starts at the minimum, as on Asimov data. The parameters' derivative is
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
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, Model, NormFactor, NormSys, Sample
    >>> signal = Sample("signal", [5.0, 10.0], [NormFactor("mu")])
    >>> background = Sample("background", [50.0, 20.0], [NormSys("xsec", hi=1.1, lo=0.9)])
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
    minimum = _minimise(*jax.lax.stop_gradient((model, data, start)), free, max_steps=max_steps, search=search)
    result = _result(model, data, start, free, minimum)
    if is_known(result.converged) and not result.converged:
        raise FitError(explanation(model, data, minimum))
    return result


@jax.jit
def _minimise(
    model: Model, data: jax.Array, start: jax.Array, free: jax.Array, *, max_steps: int, search: bool
) -> Minimum:
    def attempt(start: jax.Array) -> Minimum:
        return minimise(model, data, start, free, model.bounds, max_steps=max_steps)

    return from_several_starts(attempt, model, start, free, search=search)


@jax.jit
def _result(model: Model, data: jax.Array, start: jax.Array, free: jax.Array, minimum: Minimum) -> FitResult:
    # By the envelope theorem the likelihood at the minimum changes as if the free parameters stood still.
    still = jnp.where(free, minimum.parameters, start)
    parameters = _moving(model, data, still, minimum.hessian, minimum.inner)
    return FitResult(
        parameters=parameters,
        deviance=model.deviance(still, data),
        nll=-model.logpdf(still, data),
        hessian=_moving_hessian(model, data, parameters, minimum.hessian),
        inner=minimum.inner,
        edm=minimum.edm,
        converged=minimum.converged,
        steps=minimum.steps,
        layout=model.layout,
    )


@jax.custom_jvp
def _moving(model: Model, data: jax.Array, still: jax.Array, hessian: jax.Array, inner: jax.Array) -> jax.Array:
    """Return the parameters at the minimum, with the derivative of a minimum."""
    return still


@_moving.defjvp
def _moving_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
    model, data, still, hessian, inner = primals
    _, slope = jax.jvp(jax.grad(nll, argnums=1), (model, still, data), (tangents[0], tangents[2], tangents[1]))
    return still, tangents[2] - solve(model.layout, hessian, inner, slope)


@jax.custom_jvp
def _moving_hessian(model: Model, data: jax.Array, parameters: jax.Array, hessian: jax.Array) -> jax.Array:
    """Return the Hessian, which is known already, with its derivative."""
    return hessian


@_moving_hessian.defjvp
def _moving_hessian_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
    return jax.jvp(lambda model, data, x: derivatives(model, x, data).hessian, primals[:3], tangents[:3])


@functools.partial(jax.jit, static_argnums=0)
def _covariance(layout: ModelLayout, hessian: jax.Array, inner: jax.Array) -> jax.Array:
    columns = jax.vmap(lambda unit: solve(layout, hessian, inner, unit))(jnp.eye(inner.size))
    without_effect = inner & (jnp.diag(hessian) == 0)
    return jnp.where(jnp.diag(without_effect), jnp.inf, (columns + columns.T) / 2)


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
