"""Whether the data look like the model at all."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaincc

from hepgrad.ragged.tracing import is_known

from ..fitting import FitResult
from ..fitting.empty import any_empty
from ..fitting.newton import Minimum, minimise
from ..fitting.restarts import from_several_starts
from ..histfactory import Model
from ..inference import pseudo_data
from ..inference.batches import fits_at_once, in_batches
from ..inference.guards import require, warn_if_single
from ..inference.toys import MOST_FAILED

_AT_ONCE, _STEPS = 64, 100


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class GoodnessOfFit:
    """The test of a fit against the saturated model.

    Attributes
    ----------
    chi2
        Twice the logarithm of the likelihood ratio to the model that predicts every bin perfectly, scalar.
    ndof
        Bins less parameters that nothing but the bins determine (static).
    p_value
        Probability of a larger `chi2`, asymptotically; NaN without degrees of freedom. Scalar.
    converged
        Whether the fit did, bool.
    """

    chi2: jax.Array
    ndof: int = dataclasses.field(metadata={"static": True})
    p_value: jax.Array
    converged: jax.Array


def goodness_of_fit(model: Model, best: FitResult) -> GoodnessOfFit:
    r"""Test a fit against the saturated model.

    .. math:: \chi^2 = -2 \ln \frac{L(\hat\theta)}{L_\text{saturated}}, \quad p = Q(n_\text{dof} / 2, \chi^2 / 2)

    with the regularised upper incomplete gamma function Q. Every auxiliary measurement comes with a parameter, so
    neither counts for the degrees of freedom.

    Parameters
    ----------
    model
        Whose parameters fits hold is known.
    best
        Of `fit`, of all parameters.

    Returns
    -------
    GoodnessOfFit

    References
    ----------
    R. D. Cousins, Generalization of chisquare goodness-of-fit test for binned data using saturated models, with
    application to histograms (2013).

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics import FitChannel, FitSample, Model, NormFactor, fit
    >>> from hepgrad.analysis.statistics.measurement import goodness_of_fit
    >>> with jax.enable_x64(True):
    ...     model = Model([FitChannel("SR", [FitSample("signal", [100.0, 100.0], [NormFactor("mu")])])])
    ...     test = goodness_of_fit(model, fit(model, model.data({"SR": [90, 110]})))
    ...     print(test.ndof, test.chi2.round(3), test.p_value.round(3))
    1 2.003 0.157
    """
    layout = model.layout
    free = (~model.fixed).at[layout.constrained].set(False)
    ndof = layout.bins - int(jnp.sum(free))
    p_value = gammaincc(0.5 * max(ndof, 1), 0.5 * best.deviance)
    return GoodnessOfFit(best.deviance, ndof, jnp.where(ndof > 0, p_value, jnp.nan), best.converged)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ToyGoodness:
    """The test of a fit against the saturated model by pseudo-experiments.

    Attributes
    ----------
    chi2
        Of the data, as in `GoodnessOfFit`, scalar.
    toys
        Of pseudo-experiments with the fitted parameters, shape (number,); NaN where a fit failed from all starts.
        These, one per cent at most, are left out of the probability.
    """

    chi2: jax.Array
    toys: jax.Array

    @property
    def failed(self) -> jax.Array:
        """Number of pseudo-experiments whose fit failed, scalar."""
        return jnp.sum(jnp.isnan(self.toys))

    @property
    def p_value(self) -> jax.Array:
        """The part of the pseudo-experiments that describe their data no better, scalar."""
        return jnp.sum(self.toys >= self.chi2) / (self.toys.size - self.failed)

    @property
    def p_error(self) -> jax.Array:
        """Binomial standard deviation of `p_value`, scalar."""
        return jnp.sqrt(self.p_value * (1 - self.p_value) / (self.toys.size - self.failed))


def toy_goodness_of_fit(model: Model, best: FitResult, key: jax.Array, *, number: int = 1000) -> ToyGoodness:
    """Test a fit against the saturated model by pseudo-experiments, where too few events are expected for formulae.

    Each has random events and auxiliary data about those that the fitted parameters predict, and is fitted as the data
    were.

    Parameters
    ----------
    model
        As for `goodness_of_fit`.
    best
        Of `fit`; what it held is held here, too.
    key
        Random key: the same key gives the same pseudo-experiments.
    number
        Of pseudo-experiments, positive.

    Returns
    -------
    ToyGoodness

    Raises
    ------
    ValueError
        When `number` is not positive.
    FitError
        Outside `jit`, when more than one per cent of the fits failed: what is left would be biased.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics import FitChannel, FitSample, Model, NormFactor, fit
    >>> from hepgrad.analysis.statistics.measurement import goodness_of_fit, toy_goodness_of_fit
    >>> with jax.enable_x64(True):
    ...     model = Model([FitChannel("SR", [FitSample("signal", [100.0, 100.0], [NormFactor("mu")])])])
    ...     best = fit(model, model.data({"SR": [90, 110]}))
    ...     test = toy_goodness_of_fit(model, best, jax.random.key(0))
    ...     print(abs(test.p_value - goodness_of_fit(model, best).p_value) < 3 * test.p_error)
    True
    """
    warn_if_single("toy_goodness_of_fit")
    if number < 1:
        raise ValueError(f"number of pseudo-experiments must be positive, got {number}")
    data = pseudo_data(model, best.parameters, key, number)
    toys = _deviances(model, best, data, empty_bins=any_empty(data[:, : model.layout.bins]))
    failed = jnp.isnan(toys)
    if is_known(failed):
        require(
            failed.mean() <= MOST_FAILED,
            f"the fits of {int(failed.sum())} of {number} pseudo-experiments failed: what is left would be biased",
        )
    return ToyGoodness(best.deviance, toys)


@functools.partial(jax.jit, static_argnames="empty_bins")
def _deviances(model: Model, best: FitResult, toys: jax.Array, *, empty_bins: bool) -> jax.Array:
    free = best.inner | best.at_bound

    def deviance(data: jax.Array) -> jax.Array:
        def attempt(start: jax.Array) -> Minimum:
            return minimise(model, data, start, free, model.bounds, max_steps=_STEPS, empty_bins=empty_bins)

        found = from_several_starts(attempt, model, best.parameters, free)
        return jnp.where(found.converged, 2 * found.value, jnp.nan)

    return in_batches(deviance, toys, size=fits_at_once(model.layout, _AT_ONCE))
