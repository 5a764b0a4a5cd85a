"""The CLs test of a signal strength, observed and expected."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp

from ..fitting import FitResult, fit
from ..histfactory import Model
from .asymptotics import log_expected_cls, log_pvalues
from .guards import poi_of, warn_if_single
from .likelihood_ratios import LikelihoodRatio, likelihood_ratio


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class HypothesisTest:
    """The test of a signal strength; probabilities are kept as logarithms.

    Attributes
    ----------
    ratio
        The observed test statistic and its fits.
    background
        The fit without signal to the data, which makes the Asimov data.
    asimov
        The fit with the tested signal strength to the Asimov data.
    log_CLsb_obs, log_CLb_obs
        Logarithm of the probability of a larger test statistic with and without the signal, scalar.
    log_CLs_exp
        Logarithm of the CLs that is expected without signal, for a background that fluctuates by (-2, -1, 0, 1, 2)
        standard deviations, shape (5,).
    """

    ratio: LikelihoodRatio
    background: FitResult
    asimov: FitResult
    log_CLsb_obs: jax.Array
    log_CLb_obs: jax.Array
    log_CLs_exp: jax.Array

    @property
    def log_CLs_obs(self) -> jax.Array:
        r""":math:`\ln \text{CL}_s`, observed, scalar."""
        return self.log_CLsb_obs - self.log_CLb_obs

    @property
    def CLsb_obs(self) -> jax.Array:
        """The p-value of signal and background, scalar."""
        return jnp.exp(self.log_CLsb_obs)

    @property
    def CLb_obs(self) -> jax.Array:
        """The probability of a larger test statistic without signal, scalar."""
        return jnp.exp(self.log_CLb_obs)

    @property
    def CLs_obs(self) -> jax.Array:
        r"""The observed :math:`\text{CL}_s = \text{CL}_{s+b} / \text{CL}_b`, scalar."""
        return jnp.exp(self.log_CLs_obs)

    @property
    def CLs_exp(self) -> jax.Array:
        """The expected values, shape (5,), increasing; the third is the median."""
        return jnp.exp(self.log_CLs_exp)

    @property
    def converged(self) -> jax.Array:
        """Whether all fits did, scalar bool."""
        return self.ratio.converged & self.background.converged & self.asimov.converged


def hypotest(mu: Any, model: Model, data: Any, *, test_stat: Literal["q", "qtilde"] = "qtilde") -> HypothesisTest:
    r"""Test a signal strength by :math:`\text{CL}_s` with asymptotic formulae.

    Parameters
    ----------
    mu
        The tested value, positive.
    model
        With a parameter of interest.
    data
        Events and auxiliary data, as `Model.data` makes them.
    test_stat
        ``"qtilde"`` or, for a parameter of interest that may be negative, ``"q"``.

    Returns
    -------
    HypothesisTest
        Differentiable in `mu`, the templates and the data.

    Raises
    ------
    ValueError
        Without a parameter of interest, for an unknown `test_stat`, or as `qmu`.
    FitError
        When a fit does not converge; inside `jit` see `HypothesisTest.converged`.

    References
    ----------
    A. L. Read, Presentation of search results: the CLs technique, J. Phys. G 28 (2002) 2693; arXiv:1007.1727.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, ShapeSys
    >>> from hepgrad.analysis.statistics.inference import hypotest
    >>> with jax.enable_x64(True):
    ...     background = FitSample("background", [50.0, 52.0], [ShapeSys("model", uncertainties=[3.0, 7.0])])
    ...     samples = [FitSample("signal", [12.0, 11.0], [NormFactor("mu")]), background]
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    ...     test = hypotest(1.0, model, model.data({"SR": [51, 48]}))
    ...     print(test.CLs_obs.round(6), test.CLs_exp.round(6))
    0.052516 [0.002606 0.013821 0.064455 0.235261 0.573042]
    """
    warn_if_single("hypotest")
    if test_stat not in ("q", "qtilde"):
        raise ValueError(f"test_stat must be 'q' or 'qtilde', got {test_stat!r}; for q0 there is `discovery`")
    poi = poi_of(model)
    ratio = likelihood_ratio(model, data, mu, test_stat)
    background = fit(model, data, fixed={poi: 0.0})
    asimov_data = model.expected_data(background.parameters)
    # the free fit to Asimov data is known: it is perfect
    asimov = fit(model, asimov_data, fixed={poi: mu}, init=background.parameters)
    log_clsb, log_clb = log_pvalues(ratio.value, asimov.deviance, test_stat=test_stat)
    return HypothesisTest(ratio, background, asimov, log_clsb, log_clb, log_expected_cls(asimov.deviance))
