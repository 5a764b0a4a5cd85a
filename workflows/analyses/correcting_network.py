"""A network with one hidden layer that corrects what is known without it, and starts by correcting nothing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.analysis.stages import feed_forward


def correcting_weights(
    features: int, hidden: int, outputs: tuple[int, ...] = (), *, seed: int
) -> dict[str, np.ndarray]:
    """Return weights with which a network returns 0 for every event, while its hidden nodes differ.

    It looks at ``features`` numbers of spread 1; ``outputs`` is the shape of what it returns for an event, one number
    by default. The weights are ``hidden``, ``hidden_bias``, ``output`` and ``output_bias`` in float32.

    Examples
    --------
    >>> from hepgrad.workflows.analyses.correcting_network import correcting_weights
    >>> {name: weights.shape for name, weights in correcting_weights(7, 8, (2,), seed=0).items()}
    {'hidden': (7, 8), 'hidden_bias': (8,), 'output': (8, 2), 'output_bias': (2,)}
    """
    weights = {
        "hidden": np.random.default_rng(seed).normal(0, features**-0.5, (features, hidden)),
        "hidden_bias": np.zeros(hidden),
        "output": np.zeros((hidden, *outputs)),
        "output_bias": np.zeros(outputs),
    }
    return {name: array.astype(np.float32) for name, array in weights.items()}


def corrected(start: jax.Array | float, features: jax.Array, network: dict[str, jax.Array]) -> jax.Array:
    """Return numbers plus what the network makes of the features, in whose precision it computes."""
    weights = {name: jnp.asarray(array, features.dtype) for name, array in network.items()}
    hidden = (weights["hidden"], weights["hidden_bias"])
    return feed_forward([hidden, (weights["output"], weights["output_bias"])], features, start=start)
