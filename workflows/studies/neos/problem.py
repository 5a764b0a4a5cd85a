r"""The blobs: four normal densities in a plane, all with unit covariance.

The signal lies at (-1, 1), the background at (1, -1), or, when its nuisance parameter is one standard deviation up or
down, at (2.5, 2) or (-2.5, -1.5). Expected are 20 signal and 100 background events (arXiv:2203.05570).
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

SAMPLES = ("signal", "background", "up", "down")
CENTRES = np.array([[-1.0, 1.0], [1.0, -1.0], [2.5, 2.0], [-2.5, -1.5]], np.float32)
YIELDS = (20.0, 100.0, 100.0, 100.0)
BINS = 4


@functools.partial(jax.jit, static_argnames="size")
def draw(key: jax.Array, size: int) -> jax.Array:
    """Draw events of each sample, shape (samples, size, 2), float32.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.workflows.studies.neos.problem import draw
    >>> print(draw(jax.random.key(0), 10_000).mean(axis=1).round(1)[0])
    [-1.  1.]
    """
    return jnp.asarray(CENTRES)[:, None] + jax.random.normal(key, (len(SAMPLES), size, 2), jnp.float32)


def classifier_shapes() -> jax.Array:
    """Return the shapes that the exact probability of signal has in equal bins, shape (samples, bins).

    Its odds are the ratio of the nominal densities, whose logarithm is a linear function of the position: normally
    distributed for every sample.

    Examples
    --------
    >>> from hepgrad.workflows.studies.neos.problem import classifier_shapes
    >>> [f"{share:.3f}" for share in classifier_shapes()[0]]
    ['0.036', '0.043', '0.074', '0.848']
    """
    direction = CENTRES[0] - CENTRES[1]
    middle = 0.5 * direction @ (CENTRES[0] + CENTRES[1])
    edges = np.arange(1, BINS) / BINS
    log_odds = np.log(edges / (1 - edges))
    means = CENTRES @ direction - middle
    below = norm.cdf((log_odds - means[:, None]) / np.linalg.norm(direction))
    return jnp.diff(jnp.pad(below, ((0, 0), (1, 1)), constant_values=(0, 1)))
