"""A small neural network without further packages."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import jax

from .layers import feed_forward, random_layers

Layers: TypeAlias = "list[dict[str, jax.Array]]"


@dataclasses.dataclass(frozen=True)
class Perceptron:
    """A fully connected network with tanh between the layers and a sigmoid at the end: scores in [0, 1].

    Attributes
    ----------
    sizes
        The number of features, of nodes in each hidden layer, and of scores (1).

    Raises
    ------
    ValueError
        When there are fewer than two layers or the last is not 1.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.stages import Perceptron
    >>> network = Perceptron([2, 8, 1])
    >>> weights = network.initial(jax.random.key(0))
    >>> network(weights, jax.numpy.ones((5, 2))).shape
    (5,)
    """

    sizes: Sequence[int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        if len(self.sizes) < 2 or self.sizes[-1] != 1 or min(self.sizes) < 1:
            raise ValueError(f"sizes go from the number of features to 1 score, such as (4, 16, 1); got {self.sizes}")

    def initial(self, key: jax.Array) -> Layers:
        """Return weights to start from (Glorot, uniform) and biases of 0.

        Parameters
        ----------
        key
            Of randomness, ``jax.random.key(seed)``.
        """
        layers = random_layers(key, self.sizes, jax.nn.initializers.glorot_uniform())
        return [{"weight": weight, "bias": bias} for weight, bias in layers]

    def __call__(self, weights: Layers, features: jax.Array) -> jax.Array:
        """Return scores of shape (n,).

        Parameters
        ----------
        weights
            As from `initial`.
        features
            Shape (n, features).
        """
        layers = [(layer["weight"], layer["bias"]) for layer in weights]
        return jax.nn.sigmoid(feed_forward(layers, features))[:, 0]
