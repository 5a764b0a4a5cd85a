"""Fully connected layers: what every small network of hepgrad is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp

# (weight, bias) of shapes (nodes before, nodes) and (nodes,)
Layer: TypeAlias = tuple[jax.Array, jax.Array]


def feed_forward(
    layers: Sequence[Layer],
    features: jax.Array,
    *,
    between: Callable[[jax.Array], jax.Array] = jnp.tanh,
    start: jax.Array | float = 0.0,
) -> jax.Array:
    """Return the output of the last layer of a fully connected network.

    Parameters
    ----------
    layers
        Weight and bias of each layer, the last one included: shapes (nodes before, nodes) and (nodes,), or (nodes
        before,) and () for a single output.
    features
        What the network looks at, best of mean 0 and spread 1; shape (..., features).
    between
        Applied to every node of a hidden layer.
    start
        What the network corrects: its output is added to it. Broadcast against the output.

    Returns
    -------
    jax.Array
        Shape (..., outputs), or (...,) for a last layer with a single output.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.stages import feed_forward
    >>> hidden = jnp.array([[1.0, -1.0]]), jnp.zeros(2)
    >>> print(feed_forward([hidden, (jnp.ones(2), jnp.array(3.0))], jnp.array([[0.5], [2.0]]), between=abs))
    [4. 7.]
    """
    *hidden, (weight, bias) = layers
    for hidden_weight, hidden_bias in hidden:
        features = between(features @ hidden_weight + hidden_bias)
    return start + features @ weight + bias


def random_layers(key: jax.Array, sizes: Sequence[int], draw: jax.nn.initializers.Initializer) -> list[Layer]:
    """Return layers of float32 with drawn weights and biases of 0, from the number of features to that of outputs."""
    keys = jax.random.split(key, len(sizes) - 1)
    shapes = zip(keys, sizes[:-1], sizes[1:], strict=True)
    return [(draw(each, (n, m), jnp.float32), jnp.zeros(m, jnp.float32)) for each, n, m in shapes]
