r"""Interpolation between the nominal histogram and its variations, as functions of a nuisance parameter alpha.

The variation "up" is reached at :math:`\alpha = 1`, "down" at :math:`\alpha = -1`. Additive codes (0, 2, 4p) are linear
in the templates, :math:`\delta(\alpha) = u(\alpha) (I^+ - I^0) + d(\alpha) (I^0 - I^-)`, so each is a pair of weights
that depend on alpha only. Multiplicative codes (1, 4, combine) are factors.

References
----------
K. Cranmer et al., HistFactory: A tool for creating statistical models for use with RooFit and RooStats,
CERN-OPEN-2012-016, section 4.1; pyhf, module ``pyhf.interpolators``.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

InterpolationWeights = tuple[jax.Array, jax.Array]


def code0(alpha: jax.Array) -> InterpolationWeights:
    r"""Return the weights of the piecewise linear interpolation, which has a kink at 0.

    .. math:: u = \max(\alpha, 0), \quad d = \min(\alpha, 0)

    They are the weights of ``hi - nominal`` and of ``nominal - lo``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory.interpolation import code0
    >>> up, down = code0(jnp.array([-0.5, 2.0]))
    >>> print(up, down)
    [0. 2.] [-0.5  0. ]
    """
    return jnp.where(alpha > 0, alpha, 0), jnp.where(alpha > 0, 0, alpha)


def code2(alpha: jax.Array) -> InterpolationWeights:
    r"""Return the weights of the quadratic interpolation with linear extrapolation.

    Inside :math:`|\alpha| \le 1` the parabola through the three templates, outside its tangent:

    .. math:: u = \begin{cases} \tfrac32 \alpha - \tfrac12 & \alpha > 1 \\
              \tfrac12 \alpha (\alpha + 1) & |\alpha| \le 1 \\ -\tfrac12 (\alpha + 1) & \alpha < -1 \end{cases},
              \quad d(\alpha) = -u(-\alpha)

    They are the weights of ``hi - nominal`` and of ``nominal - lo``.

    Notes
    -----
    pyhf 0.7.6 and RooFit's documentation leave out the constants of the extrapolation, which makes the function jump
    at :math:`\pm 1`; this is the continuous function that ROOT computes. They agree for :math:`|\alpha| \le 1`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory.interpolation import code2
    >>> up, down = code2(jnp.array([0.5, 2.0]))
    >>> print(up, down)
    [0.375 2.5  ] [ 0.125 -0.5  ]
    """

    def up(x: jax.Array) -> jax.Array:
        return jnp.where(x > 1, 1.5 * x - 0.5, jnp.where(x < -1, -0.5 * (x + 1), 0.5 * x * (x + 1)))

    return up(alpha), -up(-alpha)


def code4p(alpha: jax.Array) -> InterpolationWeights:
    r"""Return the weights of the linear interpolation whose kink a polynomial smooths, twice differentiable.

    .. math:: u = \begin{cases} \alpha & \alpha > 1 \\
              \tfrac12 \alpha + \tfrac1{16} \alpha^2 (15 - 10 \alpha^2 + 3 \alpha^4) & |\alpha| \le 1 \\
              0 & \alpha < -1 \end{cases}, \quad d(\alpha) = -u(-\alpha)

    They are the weights of ``hi - nominal`` and of ``nominal - lo``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory.interpolation import code4p
    >>> up, down = code4p(jnp.array([-1.0, 0.0, 1.0, 2.0]))
    >>> print(up, down)
    [0. 0. 1. 2.] [-1.  0.  0.  0.]
    """
    square = alpha**2
    even = square * (15 + square * (3 * square - 10)) / 16
    inside = jnp.abs(alpha) <= 1
    up = jnp.where(inside, 0.5 * alpha + even, jnp.where(alpha > 0, alpha, 0))
    down = jnp.where(inside, 0.5 * alpha - even, jnp.where(alpha > 0, 0, alpha))
    return up, down


def code1(alpha: jax.Array, hi: jax.Array, lo: jax.Array) -> jax.Array:
    r"""Return the piecewise exponential factor, which has a kink at 0.

    .. math:: f = \begin{cases} f_+^\alpha & \alpha > 0 \\ f_-^{-\alpha} & \alpha \le 0 \end{cases}

    ``hi`` and ``lo`` are the factors at +1 and -1, not negative (a negative one gives NaN); all shapes broadcast. The
    result is 1 at alpha = 0; derivatives with respect to a factor of exactly 0 are set to 0.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory.interpolation import code1
    >>> print(code1(jnp.array([-1.0, 0.0, 2.0]), jnp.array(1.1), jnp.array(0.8)))
    [0.8  1.   1.21]
    """
    # not abs(alpha), whose derivative of 0 at 0 would stop a fit that starts there
    return _power(jnp.where(alpha > 0, hi, lo), jnp.where(alpha > 0, alpha, -alpha))


def code4(alpha: jax.Array, hi: jax.Array, lo: jax.Array) -> jax.Array:
    r"""Return the exponential factor whose kink a polynomial smooths, twice differentiable.

    Outside :math:`|\alpha| < 1` it is that of `code1`; inside it is the polynomial of sixth order with :math:`f(0) = 1`
    that continues value, first and second derivative. ``hi`` and ``lo`` are the factors at +1 and -1, not negative (a
    negative one gives NaN); all shapes broadcast. A factor of exactly 0 takes its limit, and derivatives with respect
    to it are set to 0.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory.interpolation import code4
    >>> print(code4(jnp.array([-1.0, 0.0, 2.0]), jnp.array(1.1), jnp.array(0.8)))
    [0.8  1.   1.21]
    """
    inside = jnp.abs(alpha) < 1
    x = jnp.where(inside, alpha, 0)
    # Value, slope and curvature at the joints: the mean fixes the even coefficients, half the difference the odd ones.
    at_hi, at_lo = _joint(hi), _joint(lo)
    value, slope, curvature = ((up + down) / 2 for up, down in zip(at_hi, at_lo, strict=True))
    even = (
        (24 * value - 9 * slope + curvature) / 8,
        (-24 * value + 14 * slope - 2 * curvature) / 8,
        (8 * value - 5 * slope + curvature) / 8,
    )
    value, slope, curvature = ((up - down) / 2 for up, down in zip(at_hi, at_lo, strict=True))
    odd = (
        (15 * value - 7 * slope + curvature) / 8,
        (-10 * value + 10 * slope - 2 * curvature) / 8,
        (3 * value - 3 * slope + curvature) / 8,
    )
    square = x**2
    polynomial = 1 + (
        x * (odd[0] + square * (odd[1] + square * odd[2])) + square * (even[0] + square * (even[1] + square * even[2]))
    )
    outside = jnp.where(inside, 1, alpha)
    return jnp.where(inside, polynomial, code1(outside, hi, lo))


def combine(alpha: jax.Array, hi: jax.Array, lo: jax.Array) -> jax.Array:
    r"""Return the exponential factor of Combine, whose exponent has a smoothed kink.

    .. math:: f = \exp\left(\alpha \left[ \tfrac12 (\ln f_+ - \ln f_-) + \tfrac12 (\ln f_+ + \ln f_-) \, h(2 \alpha)
              \right]\right), \quad h(x) = \tfrac18 x (3 x^4 - 10 x^2 + 15),

    with :math:`h = \pm 1` for :math:`|\alpha| \ge \tfrac12`, where it is `code1`. With :math:`f_- = 1 / f_+`, the
    log-normal distribution, it is the exponential everywhere, which `code4` is not. ``hi`` and ``lo`` are the factors
    at +1 and -1, positive; all shapes broadcast. A factor of exactly 0 counts as 1. The result is 1 at alpha = 0, and
    twice differentiable.

    References
    ----------
    CMS, The CMS statistical analysis and combination tool: Combine, arXiv:2404.06614, section 4; its class AsymPow.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory.interpolation import combine
    >>> print(combine(jnp.array([-1.0, 0.0, 2.0]), jnp.array(1.1), jnp.array(0.8)))
    [0.8  1.   1.21]
    """
    log_hi, log_lo = (jnp.log(jnp.where(factor == 0, 1, factor)) for factor in (hi, lo))
    x = jnp.clip(2 * alpha, -1, 1)
    square = x**2
    smooth = x * (square * (3 * square - 10) + 15) / 8
    return jnp.exp(0.5 * alpha * (log_hi - log_lo + smooth * (log_hi + log_lo)))


def _power(base: jax.Array, exponent: jax.Array) -> jax.Array:
    """Return base**exponent for exponents >= 0, with finite derivatives at base 0."""
    zero = base == 0
    power = jnp.exp(exponent * jnp.log(jnp.where(zero, 1, base)))
    return jnp.where(zero, jnp.where(exponent == 0, 1.0, 0.0), power)


def _joint(factor: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return factor**x - 1, its slope and curvature at x = 1."""
    zero = factor == 0
    logarithm = jnp.where(zero, 0, jnp.log(jnp.where(zero, 1, factor)))
    return factor - 1, factor * logarithm, factor * logarithm**2


ADDITIVE: dict[str, Callable[[jax.Array], InterpolationWeights]] = {"code0": code0, "code2": code2, "code4p": code4p}
MULTIPLICATIVE: dict[str, Callable[[jax.Array, jax.Array, jax.Array], jax.Array]] = {
    "code1": code1,
    "code4": code4,
    "combine": combine,
}
