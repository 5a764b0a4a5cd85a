"""What the networks minimise."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import optax

from hepgrad.analysis.statistics.objectives import CLs

from .summary import Summary
from .templates import soft_shapes, statistical_model


@dataclasses.dataclass(frozen=True)
class ExpectedCLs:
    """The logarithm of the CLs that is expected without signal, from soft histograms; NaN when its fit fails."""

    bandwidth: float = 0.09

    def __call__(self, summary: Summary, events: jax.Array) -> jax.Array:
        """Return the loss, scalar; events of shape (samples, n, 2)."""
        shapes = soft_shapes(summary.scores(events), summary.edges, self.bandwidth)
        value, converged = CLs().evaluate(statistical_model(shapes))
        return jnp.where(converged, -value, jnp.nan)


@dataclasses.dataclass(frozen=True)
class CrossEntropy:
    """How badly the score tells signal from background, in nats per event; the bins stay as they are.

    As background count so many of the background samples: 1 for the nominal one, 3 with the shifted ones.
    """

    backgrounds: int = 1

    def __call__(self, summary: Summary, events: jax.Array) -> jax.Array:
        """Return the loss, scalar; events of shape (samples, n, 2)."""
        log_odds = summary.log_odds(events[: 1 + self.backgrounds])
        entropy = optax.losses.sigmoid_binary_cross_entropy
        return 0.5 * (jnp.mean(entropy(log_odds[0], 1.0)) + jnp.mean(entropy(log_odds[1:], 0.0)))
