"""A fully connected network with rectified linear units."""

from __future__ import annotations

import functools
from typing import TypeAlias

import jax
import jax.numpy as jnp

from hepgrad.analysis.stages.networks.layers import feed_forward, random_layers

Network: TypeAlias = "list[tuple[jax.Array, jax.Array]]"


@functools.partial(jax.jit, static_argnames="sizes")
def initial(key: jax.Array, sizes: tuple[int, ...], *, last: float = 1.0) -> Network:
    """Return a network to start from: weights by He, biases of 0, float32.

    Parameters
    ----------
    key
        Of randomness.
    sizes
        The number of features, of nodes in each hidden layer, and of outputs.
    last
        Factor on the weights of the last layer.

    Returns
    -------
    list of (weight, bias)
        Shapes (nodes before, nodes) and (nodes,), for each layer.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.workflows.studies.study import initial
    >>> [weight.shape for weight, _ in initial(jax.random.key(0), (3, 100, 100, 10))]
    [(3, 100), (100, 100), (100, 10)]
    """
    *hidden, (weight, bias) = random_layers(key, sizes, jax.nn.initializers.he_normal())
    return [*hidden, ((last * weight).astype(jnp.float32), bias)]


def logits(network: Network, events: jax.Array) -> jax.Array:
    """Return the output of the last layer, shape (..., outputs).

    Parameters
    ----------
    network
        As from `initial`.
    events : jax.Array
        Shape (..., features).
    """
    return feed_forward(network, events, between=jax.nn.relu)
