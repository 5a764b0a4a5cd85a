"""The significance of an excess."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr

from ..histfactory import Model
from .guards import warn_if_single
from .likelihood_ratios import LikelihoodRatio, likelihood_ratio
from .roots import safe_sqrt


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DiscoveryTest:
    """The test of the hypothesis that there is no signal.

    Attributes
    ----------
    ratio
        The test statistic q0 and its fits.
    """

    ratio: LikelihoodRatio

    @property
    def q0(self) -> jax.Array:
        """The test statistic, scalar."""
        return self.ratio.value

    @property
    def significance(self) -> jax.Array:
        r""":math:`Z = \sqrt{q_0}`, in standard deviations; its derivative at 0 is set to 0."""
        return safe_sqrt(self.q0)

    @property
    def log_p0(self) -> jax.Array:
        r""":math:`\ln(1 - \Phi(Z))`, which does not underflow."""
        return log_ndtr(-self.significance)

    @property
    def p0(self) -> jax.Array:
        r""":math:`1 - \Phi(Z)`, the probability of such an excess without signal."""
        return jnp.exp(self.log_p0)

    @property
    def converged(self) -> jax.Array:
        """Whether the fits did, scalar bool."""
        return self.ratio.converged


def discovery(model: Model, data: Any) -> DiscoveryTest:
    r"""Test the hypothesis of no signal: observed significance, or the expected one on Asimov data.

    Parameters
    ----------
    model
        With a parameter of interest.
    data
        Events and auxiliary data, as `Model.data` makes them; ``asimov_data(model, 1.0)`` gives the median
        significance that is expected of a signal of strength 1.

    Returns
    -------
    DiscoveryTest
        Differentiable in the templates and the data.

    Raises
    ------
    ValueError
        Without a parameter of interest.
    FitError
        When a fit does not converge; inside `jit` see `DiscoveryTest.converged`.

    References
    ----------
    arXiv:1007.1727, equations 12, 52 and 53.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference import asimov_data, discovery
    >>> with jax.enable_x64(True):
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [50.0])]
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    ...     observed, expected = discovery(model, [65.0]), discovery(model, asimov_data(model, 1.0))
    ...     print(f"{observed.significance:.3f} {observed.p0:.4f} {expected.significance:.3f}")
    2.027 0.0213 1.371
    """
    warn_if_single("discovery")
    return DiscoveryTest(likelihood_ratio(model, data, jnp.zeros(()), "q0"))
