"""Poisson and normal log-probabilities, and their distance from the perfect prediction."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln


def poisson_logpdf(n: jax.Array, rate: jax.Array) -> jax.Array:
    r"""Return :math:`n \ln \nu - \nu - \ln \Gamma(n + 1)`, continued to non-integer n.

    Shapes broadcast, and n is not negative. The result is 0 for nothing observed where nothing is expected; minus
    infinity, with gradient 0, for events where nothing is expected and wherever the expectation is negative.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory.densities import poisson_logpdf
    >>> with jax.enable_x64():
    ...     print(poisson_logpdf(jnp.array([0.0, 2.0]), jnp.array([0.0, 2.0])))
    [ 0.         -1.30685282]
    """
    expected = rate > 0
    logarithm = n * jnp.log(jnp.where(expected, rate, 1))
    return jnp.where(expected | ((rate == 0) & (n == 0)), logarithm - rate - gammaln(n + 1), -jnp.inf)


def poisson_deviance(n: jax.Array, rate: jax.Array) -> jax.Array:
    r"""Return twice the log-probability that the rate lacks to that of the best rate, n.

    .. math:: 2 \left[ \nu - n + n \ln \frac n \nu \right]

    Shapes broadcast, and n is not negative. The result is not negative, without cancellation at :math:`\nu \approx n`;
    infinite where `poisson_logpdf` is.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory.densities import poisson_deviance
    >>> with jax.enable_x64():
    ...     print(poisson_deviance(jnp.array([0.0, 2.0, 100.0]), jnp.array([3.0, 2.0, 101.0])))
    [6.         0.         0.00993383]
    """
    possible = (rate > 0) & (n > 0)
    observed, expected = jnp.where(possible, n, 1), jnp.where(possible, rate, 1)
    excess = expected - observed
    both = excess - observed * jnp.log1p(excess / observed)
    return 2 * jnp.where(possible, both, jnp.where((n == 0) & (rate >= 0), rate, jnp.inf))


def normal_logpdf(x: jax.Array, mean: jax.Array, variance: jax.Array) -> jax.Array:
    r"""Return :math:`-(x - \mu)^2 / (2 \sigma^2) - \tfrac12 \ln(2 \pi \sigma^2)`.

    The variance is positive; all shapes broadcast.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory.densities import normal_logpdf
    >>> print(normal_logpdf(jnp.array(1.0), jnp.array(0.0), jnp.array(1.0)))
    -1.4189385
    """
    return -0.5 * ((x - mean) ** 2 / variance + jnp.log(2 * math.pi * variance))


def normal_deviance(x: jax.Array, mean: jax.Array, variance: jax.Array) -> jax.Array:
    r"""Return :math:`(x - \mu)^2 / \sigma^2`, twice the log-probability that the mean lacks to that of the best, x.

    The variance is positive; all shapes broadcast.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory.densities import normal_deviance
    >>> print(normal_deviance(jnp.array(1.0), jnp.array(0.0), jnp.array(4.0)))
    0.25
    """
    return (x - mean) ** 2 / variance
