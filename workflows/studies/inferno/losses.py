"""What the two networks minimise."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import optax

from ..study import Network, logits
from .benchmarks import Benchmark
from .problem import ToyEvents
from .shapes import soft_shapes


@dataclasses.dataclass(frozen=True)
class SignalVariance:
    r"""The logarithm of the expected variance of the signal, :math:`\ln (I^{-1})_{ss}`.

    Events fall into bins with the probabilities ``softmax(logits / temperature)``. The logarithm makes steps relative:
    with the variance itself, which starts near 1000, the bins collapse into one.

    Attributes
    ----------
    benchmark
        What else is unknown.
    temperature
        As low as that the largest output nearly decides, as high as that the derivative still says where to go.
    """

    benchmark: Benchmark
    temperature: float = 0.1

    def __call__(self, network: Network, events: ToyEvents) -> jax.Array:
        """Return the loss, scalar."""
        shapes = soft_shapes(lambda x: jax.nn.softmax(logits(network, x) / self.temperature), events)
        return jnp.log(self.benchmark.covariance(shapes.information())[0, 0])


@dataclasses.dataclass(frozen=True)
class CrossEntropy:
    """How badly a network of two outputs tells signal from background, in nats per event."""

    def __call__(self, network: Network, events: ToyEvents) -> jax.Array:
        """Return the loss, scalar."""
        both = logits(network, jnp.concatenate([events.background, events.signal]))
        labels = jnp.repeat(jnp.arange(2), len(events.signal), total_repeat_length=len(both))
        return jnp.mean(optax.losses.softmax_cross_entropy_with_integer_labels(both, labels))
