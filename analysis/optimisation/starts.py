"""Several starts: points drawn inside the bounds, for objectives with more than one optimum."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..parameters.bounds import Projection
from ..parameters.parameters import Parameters


def draw_starts(parameters: Parameters, number: int, *, key: jax.Array) -> tuple[Parameters, ...]:
    """Draw points uniformly inside the bounds of the free parameters.

    Weights have no bounds and keep their values, as frozen parameters do.

    Parameters
    ----------
    parameters
        Names and bounds.
    number
        How many.
    key
        From ``jax.random.key``; the same key draws the same points.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis import Parameter, Parameters, draw_starts
    >>> cuts = Parameters(met=Parameter(50.0, bounds=(20, 150), unit="GeV"))
    >>> draw_starts(cuts, 2, key=jax.random.key(1))
    (Parameters(met=84.76 GeV), Parameters(met=22.53 GeV))
    """
    low, high = parameters.scaled_bounds()
    leaves, structure = jax.tree.flatten(parameters.scaled())

    def draw(key: jax.Array) -> Parameters:
        keys = jax.tree.unflatten(structure, list(jax.random.split(key, len(leaves))))
        drawn = jax.tree.map(_uniform, keys, parameters.scaled(), low, high)
        return Projection().parameters(drawn, parameters)

    return tuple(map(draw, jax.random.split(key, number)))


def _uniform(key: jax.Array, present: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    inside = low + (high - low) * jax.random.uniform(key, present.shape, present.dtype)
    return jnp.where(jnp.isfinite(low) & jnp.isfinite(high), inside, present)
