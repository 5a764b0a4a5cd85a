"""What is trained: a network from a position to a score in [0, 1], and the bins of the score."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..study import Network, initial, logits
from .problem import BINS


class Summary(NamedTuple):
    """Weights of the network and of the bins.

    The network has two features and one output, the logarithm of the score's odds. The widths of the bins, shape
    (bins,), are known up to a constant.
    """

    network: Network
    log_widths: jax.Array

    @classmethod
    def initial(cls, key: jax.Array, hidden: tuple[int, ...]) -> Summary:
        """Return a random network and equal bins."""
        return cls(initial(key, (2, *hidden, 1)), jnp.zeros(BINS, jnp.float32))

    @property
    def edges(self) -> jax.Array:
        """The edges of the bins, from 0 to 1, shape (bins + 1,).

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> from hepgrad.workflows.studies.neos.summary import Summary
        >>> print(Summary([], jnp.zeros(4)).edges)
        [0.   0.25 0.5  0.75 1.  ]
        """
        return jnp.pad(jnp.cumsum(jax.nn.softmax(self.log_widths)), (1, 0)).at[-1].set(1)

    def log_odds(self, events: jax.Array) -> jax.Array:
        """Return the output of the network, shape (..., n) for events of shape (..., n, 2)."""
        return logits(self.network, events)[..., 0]

    def scores(self, events: jax.Array) -> jax.Array:
        """Return the scores, shape (..., n), for events of shape (..., n, 2)."""
        return jax.nn.sigmoid(self.log_odds(events))
