"""A fully connected network with rectified linear units."""

from __future__ import annotations

import functools
from typing import TypeAlias

import jax
import jax.numpy as jnp

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
    draw = jax.nn.initializers.he_normal()
    keys = jax.random.split(key, len(sizes) - 1)
    shapes = zip(keys, sizes[:-1], sizes[1:], strict=True)
    network = [(draw(each, (n, m), jnp.float32), jnp.zeros(m, jnp.float32)) for each, n, m in shapes]
    weight, bias = network[-1]
    return [*network[:-1], ((last * weight).astype(jnp.float32), bias)]


def logits(network: Network, events: jax.Array) -> jax.Array:
    """Return the output of the last layer, shape (..., outputs).

    Parameters
    ----------
    network
        As from `initial`.
    events : jax.Array
        Shape (..., features).
    """
    *hidden, (weight, bias) = network
    for hidden_weight, hidden_bias in hidden:
        events = jax.nn.relu(events @ hidden_weight + hidden_bias)
    return events @ weight + bias
