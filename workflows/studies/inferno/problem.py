r"""The synthetic problem: signal and background in three dimensions, and what is unknown about the background.

==============  =====================================  ===========================
events          :math:`x_0, x_1`                       :math:`x_2`
==============  =====================================  ===========================
signal          normal, means 0, variances 1           exponential, rate 2
background      normal, means (2 + r, 0), variances    exponential, rate :math:`\lambda`
                (5, 9)
==============  =====================================  ===========================

Expected are s signal and b background events. This is the version of the published code, whose numbers the paper shows
(arXiv:1806.04743; its text takes the background's variances for standard deviations).
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

PARAMETERS = ("s", "r", "lambda", "b")
SIGNAL, SHIFT, RATE, BACKGROUND = 50.0, 0.0, 3.0, 1000.0

MEAN_0 = 2.0
VARIANCE_0, VARIANCE_1 = 5.0, 9.0
SIGNAL_RATE = 2.0


class ToyEvents(NamedTuple):
    """Simulated events at the nominal parameters.

    Both have shape (n, 3), float32.
    """

    signal: jax.Array
    background: jax.Array


@functools.partial(jax.jit, static_argnames="size")
def draw(key: jax.Array, size: int) -> ToyEvents:
    """Draw as many signal as background events.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.workflows.studies.inferno.problem import draw
    >>> [f"{mean:.1f}" for mean in abs(draw(jax.random.key(0), 100_000).background.mean(axis=0))]
    ['2.0', '0.0', '0.3']
    """
    signal_01, signal_2, background_01, background_2 = jax.random.split(key, 4)
    spread = jnp.sqrt(jnp.array([VARIANCE_0, VARIANCE_1], jnp.float32))
    mean = jnp.array([MEAN_0 + SHIFT, 0], jnp.float32)

    def exponential(key: jax.Array, rate: float) -> jax.Array:
        return jax.random.exponential(key, (size, 1), jnp.float32) / rate

    def normal(key: jax.Array) -> jax.Array:
        return jax.random.normal(key, (size, 2), jnp.float32)

    return ToyEvents(
        signal=jnp.concatenate([normal(signal_01), exponential(signal_2, SIGNAL_RATE)], axis=1),
        background=jnp.concatenate([mean + spread * normal(background_01), exponential(background_2, RATE)], axis=1),
    )


def varied(background: jax.Array, shift: jax.Array | float, rate: jax.Array | float) -> jax.Array:
    r"""Return the background events as other nuisance parameters would have made them.

    :math:`x_0 \to x_0 + r` and :math:`x_2 \to x_2 \cdot 3 / \lambda`: the derivative of anything with respect to r and
    :math:`\lambda` is one of the inputs. ``shift`` is r and ``rate`` is :math:`\lambda`; events have shape (n, 3).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.workflows.studies.inferno.problem import varied
    >>> print(varied(jnp.ones((1, 3)), 0.5, 1.5))
    [[1.5 1.  2. ]]
    """
    one = jnp.ones((), background.dtype)
    return background * jnp.stack([one, one, RATE / rate * one]) + jnp.stack([shift * one, 0 * one, 0 * one])


def log_density_ratio(events: jax.Array) -> jax.Array:
    """Return the logarithm of the nominal density of signal over that of background, shape (...,).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.workflows.studies.inferno.problem import log_density_ratio
    >>> print(f"{log_density_ratio(jnp.zeros(3)):.3f}")
    1.898
    """
    x0, x1, x2 = events[..., 0], events[..., 1], events[..., 2]
    distance = (x0 - MEAN_0 - SHIFT) ** 2 / VARIANCE_0 + x1**2 / VARIANCE_1 - x0**2 - x1**2
    normalisation = math.log(SIGNAL_RATE / RATE) + 0.5 * math.log(VARIANCE_0 * VARIANCE_1)
    return 0.5 * distance + (RATE - SIGNAL_RATE) * x2 + normalisation
