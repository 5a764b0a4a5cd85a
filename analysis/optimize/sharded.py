"""Steps of gradient descent over events in shards, of which one at a time need be in memory."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..bounds import Coordinates
from ..cut import Soft
from ..dataset import Dataset
from ..systematics import Templates
from .pool import Pool, add_up
from .step import Advance, Descent, Position, Trace, all_finite


def over_shards(descent: Descent, pool: Pool) -> Advance:
    """Return a function that makes one step.

    Forward: the histograms of all shards are summed. The goal is evaluated once, with its derivative with respect to
    the histograms. Backward: each shard pulls that derivative back to the parameters. The sum is the exact gradient of
    the whole, while the mean of the shards' own gradients would be biased.

    Parameters
    ----------
    descent
        How a step is made.
    pool
        The events; shards of one shape share their compiled programs.

    Raises
    ------
    TypeError
        When the optimiser makes a line search, for which all events would have to be in one program.
    """
    goal = descent.goal

    def filled(coordinates: Coordinates, shard: Dataset, reading: Soft) -> Templates:
        return goal.analysis.histograms(shard, descent.at(coordinates), reading)

    @jax.jit
    def pulled_back(coordinates: Coordinates, shard: Dataset, reading: Soft, slope: Templates) -> Coordinates:
        return jax.vjp(lambda c: filled(c, shard, reading), coordinates)[1](slope)[0]

    @jax.jit
    def of_whole(histograms: Templates, coordinates: Coordinates, about: Dataset) -> Any:
        def loss(histograms: Templates, coordinates: Coordinates) -> jax.Array:
            return -goal.of_histograms(histograms, descent.at(coordinates), about)

        return jax.value_and_grad(loss, argnums=(0, 1))(histograms, coordinates)

    move = jax.jit(functools.partial(descent.move, value_fn=_no_line_search))
    start = descent.start(descent.parameters)
    # an optimiser that cannot do this is refused before anything is compiled
    jax.eval_shape(move, start, jnp.zeros((), float), start.coordinates)
    forward, traced = jax.jit(filled), jax.jit(descent.traced)

    def advance(position: Position, factors: np.ndarray) -> tuple[Position, Trace]:
        reading = Soft(*jnp.asarray(factors[0], float))
        coordinates = position.coordinates
        histograms = add_up(forward(coordinates, shard, reading) for shard in pool.shards)
        value, (slope, direct) = of_whole(histograms, coordinates, pool.about)
        slope = add_up([direct, *(pulled_back(coordinates, shard, reading, slope) for shard in pool.shards)])
        finite = bool(all_finite((value, slope)))
        values, slopes = jax.tree.map(lambda x: x[None], traced(coordinates, slope))
        trace = Trace(jnp.asarray(finite, jnp.int32), -value[None], values, slopes)
        return (move(position, value, slope) if finite else position), trace

    return advance


def _no_line_search(coordinates: Coordinates) -> Any:
    raise TypeError(
        "this optimiser evaluates the objective along a line within a step, which takes all events in one program; "
        "give it one data set instead of shards, or choose an optimiser without a line search, such as optax.adam"
    )
