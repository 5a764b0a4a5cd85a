r"""Asymptotic distributions of the profile likelihood ratio: p-values as logarithms, which do not underflow.

The square root of a test statistic is normal; its mean under another hypothesis follows from the Asimov data set.

References
----------
G. Cowan, K. Cranmer, E. Gross, O. Vitells, Asymptotic formulae for likelihood-based tests of new physics,
arXiv:1007.1727.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr

from .roots import safe_sqrt

BANDS = (2.0, 1.0, 0.0, -1.0, -2.0)  # upward fluctuations of the test statistic in pyhf's order: few events first


def log_pvalues(q: jax.Array, q_asimov: jax.Array, *, test_stat: str = "qtilde") -> tuple[jax.Array, jax.Array]:
    r"""Return the logarithms of CL_{s+b} and CL_b of an observed test statistic.

    With :math:`\sqrt{q} - \sqrt{q_A}`, or for :math:`\tilde q > \tilde q_A` (best fit below the boundary at zero)
    :math:`(\tilde q - \tilde q_A) / (2 \sqrt{\tilde q_A})`, in place of t,

    .. math:: \text{CL}_{s+b} = 1 - \Phi(t + \sqrt{q_A}), \quad \text{CL}_b = 1 - \Phi(t).

    ``q_asimov`` is that of the Asimov data without signal; ``test_stat`` is ``"q"`` or ``"qtilde"``.

    References
    ----------
    arXiv:1007.1727, equations 57 and 59, 65 and 66.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.inference.asymptotics import log_pvalues
    >>> log_clsb, log_clb = log_pvalues(jnp.array(3.0), jnp.array(4.0))
    >>> print(f"{jnp.exp(log_clsb):.4f} {jnp.exp(log_clb):.4f}")
    0.0416 0.6056
    """
    root, shift = safe_sqrt(q), safe_sqrt(q_asimov)
    beyond = (test_stat == "qtilde") & (q > q_asimov) & (shift > 0)
    t = jnp.where(beyond, (q - q_asimov) / (2 * jnp.where(beyond, shift, 1)), root - shift)
    return log_ndtr(-(t + shift)), log_ndtr(-t)


def log_expected_cls(q_asimov: jax.Array, bands: Sequence[float] = BANDS) -> jax.Array:
    r"""Return the logarithm of the CLs that an experiment without signal expects.

    .. math:: \text{CL}_s = \frac{1 - \Phi(N + \sqrt{q_A})}{1 - \Phi(N)}

    ``q_asimov`` is the test statistic of the Asimov data without signal, a scalar; ``bands`` are N, the upward
    fluctuation of the test statistic in standard deviations, which is a downward one of the events; 0 is the median.
    The result has shape (bands,).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.inference.asymptotics import log_expected_cls
    >>> print(jnp.exp(log_expected_cls(jnp.array(3.84))).round(4))
    [0.0017 0.0097 0.05   0.2004 0.5281]
    """
    n = jnp.asarray(bands, q_asimov.dtype)
    return log_ndtr(-(n + safe_sqrt(q_asimov))) - log_ndtr(-n)


def expected_threshold(level: float, bands: Sequence[float] = BANDS) -> np.ndarray:
    r"""Return :math:`\sqrt{q_A}` at which the expected CLs reaches a level: the inverse of `log_expected_cls`.

    .. math:: \sqrt{q_A} = \Phi^{-1}\left(1 - \alpha [1 - \Phi(N)]\right) - N

    ``level`` is :math:`\alpha`, for instance 0.05; ``bands`` are N, as in `log_expected_cls`.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.inference.asymptotics import expected_threshold
    >>> print([f"{threshold:.3f}" for threshold in expected_threshold(0.05)])
    ['1.052', '1.412', '1.960', '2.727', '3.656']
    """
    normal = NormalDist()
    return np.array([-normal.inv_cdf(level * normal.cdf(-n)) - n for n in bands])
