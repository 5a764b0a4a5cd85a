"""Which bin an event falls into: the one that a network has learned, or one of equal bins of a classifier's output."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..study import Network, logits
from .problem import log_density_ratio

BINS = 10


def most_likely_bin(network: Network, events: jax.Array) -> jax.Array:
    """Return the output that is largest, shape (n,), int: the bins that INFERNO learns.

    The network has 10 outputs; events have shape (n, 3).
    """
    return jnp.argmax(logits(network, events), axis=-1)


def score_bin(network: Network, events: jax.Array) -> jax.Array:
    """Return the bin of a classifier's probability of signal, shape (n,), int.

    The network has two outputs, background first; events have shape (n, 3).
    """
    background, signal = jnp.moveaxis(logits(network, events), -1, 0)
    return probability_bin(signal - background)


def optimal_bin(_: None, events: jax.Array) -> jax.Array:
    """Return the bin of the exact probability of signal, shape (n,), int.

    Events have shape (n, 3).
    """
    return probability_bin(log_density_ratio(events))


def probability_bin(log_odds: jax.Array) -> jax.Array:
    """Return the bin, of 10 equal ones, of a probability that is given by the logarithm of its odds, int.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.workflows.studies.inferno.bins import probability_bin
    >>> print(probability_bin(jnp.array([-10.0, 0.1, 50.0])))
    [0 5 9]
    """
    return jnp.clip(jnp.floor(BINS * jax.nn.sigmoid(log_odds)).astype(int), 0, BINS - 1)
