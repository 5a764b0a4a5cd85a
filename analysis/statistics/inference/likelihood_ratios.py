"""The profile likelihood ratio as a test statistic: q0 for discovery, qmu and qmu-tilde for limits."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from hepgrad.ragged.tracing import is_known

from ..fitting import FitResult, fit
from ..histfactory import Model
from .guards import poi_of, warn_if_single

SAME = 1e-5  # a difference of deviances that may come from single precision and from the edges of bounds


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LikelihoodRatio:
    """A test statistic and the two fits behind it.

    Attributes
    ----------
    value
        The test statistic, scalar, not negative.
    conditional
        The fit with the parameter of interest at the tested value.
    free
        The fit of all parameters.
    """

    value: jax.Array
    conditional: FitResult
    free: FitResult

    @property
    def converged(self) -> jax.Array:
        """Whether both fits did, scalar bool."""
        return self.conditional.converged & self.free.converged


def q0(model: Model, data: Any) -> LikelihoodRatio:
    r"""Return the test statistic for the discovery of a positive signal.

    .. math:: q_0 = \begin{cases} -2 \ln \dfrac{L(0, \hat{\hat\theta})}{L(\hat\mu, \hat\theta)} & \hat\mu \ge 0 \\
              0 & \hat\mu < 0 \end{cases}

    Parameters
    ----------
    model
        With a parameter of interest; its upper bound holds in the free fit.
    data
        Events and auxiliary data, as `Model.data` makes them.

    Returns
    -------
    LikelihoodRatio
        Differentiable in the templates and the data.

    Raises
    ------
    ValueError
        Without a parameter of interest.
    FitError
        When a fit does not converge; inside `jit` see `LikelihoodRatio.converged`.

    References
    ----------
    arXiv:1007.1727, equation 12.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference import q0
    >>> with jax.enable_x64(True):
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [50.0])]
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    ...     print(f"{q0(model, [65.0]).value:.4f}")
    4.1074
    """
    warn_if_single("q0")
    return likelihood_ratio(model, data, jnp.zeros(()), "q0")


def qmu(mu: Any, model: Model, data: Any) -> LikelihoodRatio:
    r"""Return the test statistic for an upper limit, where the signal strength may be negative.

    .. math:: q_\mu = \begin{cases} -2 \ln \dfrac{L(\mu, \hat{\hat\theta})}{L(\hat\mu, \hat\theta)}
              & \hat\mu \le \mu \\ 0 & \hat\mu > \mu \end{cases}

    Parameters
    ----------
    mu
        The tested value.
    model
        With a parameter of interest whose bounds allow negative values.
    data
        Events and auxiliary data, as `Model.data` makes them.

    Returns
    -------
    LikelihoodRatio
        Differentiable in `mu`, the templates and the data.

    Raises
    ------
    ValueError
        Without a parameter of interest, or when its bounds forbid negative values.
    FitError
        When a fit does not converge; inside `jit` see `LikelihoodRatio.converged`.

    References
    ----------
    arXiv:1007.1727, equation 14.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, ParameterConfig
    >>> from hepgrad.analysis.statistics.inference import qmu
    >>> with jax.enable_x64(True):
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [50.0])]
    ...     bounds = ParameterConfig("mu", bounds=(-4, 10))
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu", parameters=[bounds])
    ...     print(f"{qmu(1.0, model, [45.0]).value:.4f}")
    4.1086
    """
    warn_if_single("qmu")
    return likelihood_ratio(model, data, mu, "q")


def qmu_tilde(mu: Any, model: Model, data: Any) -> LikelihoodRatio:
    r"""Return the test statistic for an upper limit on a signal strength that cannot be negative.

    .. math:: \tilde q_\mu = \begin{cases} -2 \ln \dfrac{L(\mu, \hat{\hat\theta})}{\max_{\mu' \ge 0} L(\mu', \theta)}
              & \hat\mu \le \mu \\ 0 & \hat\mu > \mu \end{cases}

    Parameters
    ----------
    mu
        The tested value.
    model
        With a parameter of interest. Its free fit stays above 0, whatever its lower bound.
    data
        Events and auxiliary data, as `Model.data` makes them.

    Returns
    -------
    LikelihoodRatio
        Differentiable in `mu`, the templates and the data.

    Raises
    ------
    ValueError
        Without a parameter of interest.
    FitError
        When a fit does not converge; inside `jit` see `LikelihoodRatio.converged`.

    References
    ----------
    arXiv:1007.1727, equation 16.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference import qmu_tilde
    >>> with jax.enable_x64(True):
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [50.0])]
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    ...     print(f"{qmu_tilde(1.0, model, [45.0]).value:.4f}")
    3.5911
    """
    warn_if_single("qmu_tilde")
    return likelihood_ratio(model, data, mu, "qtilde")


def likelihood_ratio(
    model: Model, data: Any, mu: Any, test_stat: str, *, empty_bins: bool | None = None
) -> LikelihoodRatio:
    """Return one of the test statistics by name, as pyhf names them.

    These are ``"q0"``, ``"q"`` and ``"qtilde"``; arguments and errors are as in `qmu`, ``empty_bins`` is as in `fit`.
    """
    fitted = functools.partial(fit, model, data, empty_bins=empty_bins)
    poi = poi_of(model)
    index = model.index(poi)
    lowest = dict(zip(model.parameter_names, _static_bounds(model), strict=True))[poi][0]
    if test_stat == "q" and lowest >= 0:
        raise ValueError(
            f"the bounds of {poi!r} begin at {lowest}, where the test statistic is qmu_tilde (test_stat='qtilde'); for "
            f"qmu allow negative values by ParameterConfig({poi!r}, bounds=(<lowest>, <highest>))"
        )
    conditional = fitted(fixed={poi: mu})
    free = _below(conditional, fitted(), model, fitted)
    best = free.parameters[index]
    if test_stat == "qtilde" and lowest < 0:
        free = _chosen(best < 0, fitted(fixed={poi: 0.0}), free)
    value = one_sided(test_stat, mu, best, conditional.deviance - free.deviance)
    return LikelihoodRatio(value, conditional, free)


def _below(conditional: FitResult, free: FitResult, model: Model, fitted: Callable[..., FitResult]) -> FitResult:
    """Return the free fit; one that ended above the conditional one, in another minimum, starts again from there."""
    lower, upper = model.bounds.T
    inside = ((conditional.parameters >= lower) & (conditional.parameters <= upper) | model.fixed).all()
    above = inside & (free.deviance > conditional.deviance + SAME)
    if is_known(above) and above:
        return fitted(init=jax.lax.stop_gradient(conditional.parameters))
    return dataclasses.replace(free, converged=free.converged & ~above)


def one_sided(test_stat: str, mu: Any, best: jax.Array, difference: jax.Array) -> jax.Array:
    """Return the difference of two deviances, or 0 where the best fit lies on the wrong side of the tested value."""
    counts = best > 0 if test_stat == "q0" else best <= mu
    return jnp.where(counts & (difference > 0), difference, 0)


def _chosen(condition: jax.Array, a: FitResult, b: FitResult) -> FitResult:
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), a, b)


def _static_bounds(model: Model) -> list[tuple[float, float]]:
    return [pair for parameters in model.layout.parameter_sets for pair in parameters.bounds]
