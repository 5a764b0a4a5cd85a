r"""The best that any analysis can do: the Fisher information of the three-dimensional density, by quadrature.

With the density :math:`m(x) = s f_s(x) + b f_b(x; r, \lambda)` of expected events,

.. math:: I_{ij} = \int \frac{\partial_i m \, \partial_j m}{m} \mathrm d^3 x .

Along :math:`x_0` and :math:`x_1` the integrand is smooth and falls off like a normal density, where equal steps
converge exponentially; in :math:`u = e^{-x_2}` it is nearly a polynomial, for Gauss and Legendre.
"""

from __future__ import annotations

import numpy as np

from .problem import BACKGROUND, MEAN_0, RATE, SHIFT, SIGNAL, SIGNAL_RATE, VARIANCE_0, VARIANCE_1

_REACH = 16.0  # of the grid in x0 and x1: five standard deviations of the widest normal density and more


def exact_information(points: int = 80) -> np.ndarray:
    r"""Return the information of all events on :math:`(s, r, \lambda, b)`, shape (4, 4), float64.

    The grid has ``points`` in :math:`x_0`, and half as many in the other two directions. 80 make the result exact to
    six digits.

    Examples
    --------
    >>> from hepgrad.workflows.studies.inferno.exact import exact_information
    >>> print(f"{exact_information()[0, 0]**-0.5:.3f}")
    14.705
    """
    x0, step = np.linspace(MEAN_0 - _REACH, MEAN_0 + _REACH, points, retstep=True)
    x1 = (np.arange(points // 2) + 0.5) * 2 * _REACH / points  # the density is even in x1
    nodes, weights = np.polynomial.legendre.leggauss(points // 2)
    x0, x1, u = np.meshgrid(x0, x1, (nodes + 1) / 2, indexing="ij")
    volume = step * 2 * (2 * _REACH / points) * weights / 2

    signal = _normal(x0, 0, 1) * _normal(x1, 0, 1) * SIGNAL_RATE * u ** (SIGNAL_RATE - 1)
    background = _normal(x0, MEAN_0 + SHIFT, VARIANCE_0) * _normal(x1, 0, VARIANCE_1) * RATE * u ** (RATE - 1)
    by_shift = BACKGROUND * background * (x0 - MEAN_0 - SHIFT) / VARIANCE_0
    by_rate = BACKGROUND * background * (1 / RATE + np.log(u))
    slopes = np.stack([signal, by_shift, by_rate, background])
    density = SIGNAL * signal + BACKGROUND * background
    return np.einsum("iabc, jabc, abc -> ij", slopes, slopes, volume / density, optimize=True)


def _normal(x: np.ndarray, mean: float, variance: float) -> np.ndarray:
    return np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
