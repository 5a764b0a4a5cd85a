"""Networks with random weights, where a search without gradients looks for a good one."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ...scanning.proposals import normal
from .network import Network


@dataclasses.dataclass(frozen=True)
class RandomNetworks:
    """Normally distributed weights around 0, as a cube.

    ``spread`` is the standard deviation of each number, a tree of arrays; `he_spread` for those of a network.
    """

    spread: Any

    @property
    def dimensions(self) -> int:
        """How many numbers there are."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.spread))

    def at(self, vector: np.ndarray) -> Any:
        """Return weights.

        ``vector`` is between 0 and 1, shape (dimensions,).
        """
        flat, unravel = ravel_pytree(self.spread)
        return unravel(flat * jnp.asarray(normal(vector), flat.dtype))

    def numbers(self, point: Any) -> dict[str, float]:
        """Return nothing: no table shows single weights."""
        return {}


def he_spread(network: Network) -> Network:
    """Return the standard deviations with which He draws weights, and the same for the biases of a layer.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.workflows.studies.study import initial
    >>> from hepgrad.workflows.studies.study.random_networks import he_spread
    >>> [float(bias[0]) for _, bias in he_spread(initial(jax.random.key(0), (2, 8, 1)))]
    [1.0, 0.5]
    """
    return [
        (jnp.full_like(weight, (2 / len(weight)) ** 0.5), jnp.full_like(bias, (2 / len(weight)) ** 0.5))
        for weight, bias in network
    ]
