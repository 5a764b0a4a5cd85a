"""Whether the data look like the model at all."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaincc

from ..fitting import FitResult
from ..histfactory import Model


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
