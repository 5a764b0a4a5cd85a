"""Steps of gradient descent over events in shards, wherever they are."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...data.dataset import Dataset
from ...data.pool import Pool
from ...parameters.bounds import Coordinates
from ...parameters.parameters import Parameters
from ...selection.cut import Soft
from ...systematics import Templates
from ..steps import Advance, Descent, Position, Trace, all_finite
from .of_shards import Fill, PullBack


def over_shards(descent: Descent, pool: Pool) -> Advance:
    """Return a function that makes one step.

    Forward: the histograms of all shards are summed. The goal is evaluated once, with its derivative with respect to
    the histograms. Backward: each shard pulls that derivative back to the parameters. The sum is the exact gradient of
    the whole, while the mean of the shards' own gradients would be biased. Shards of one shape share their compiled
    programs. Raises `TypeError` when the optimiser makes a line search, for which all events would have to be in one
    program.
    """
    goal, about = descent.goal, pool.about
    fill, pull_back = Fill(goal.analysis), PullBack(goal.analysis)

    @jax.jit
    def of_whole(histograms: Templates, parameters: Parameters, about: Dataset) -> Any:
        def loss(histograms: Templates, parameters: Parameters) -> tuple[jax.Array, jax.Array]:
            value, converged = goal.of_histograms(histograms, parameters, about)
            return -value, converged

        return jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(histograms, parameters)

    @jax.jit
    def to_coordinates(coordinates: Coordinates, *slopes: Parameters) -> Coordinates:
        whole = jax.tree.map(lambda *parts: sum(parts), *slopes)
        return jax.vjp(descent.at, coordinates)[1](whole)[0]

    move = jax.jit(functools.partial(descent.move, value_fn=_no_line_search))
    start = descent.start(descent.parameters)
    # an optimiser that cannot do this is refused before anything is compiled
    jax.eval_shape(move, start, jnp.zeros((), float), start.coordinates)
    at, traced = jax.jit(descent.at), jax.jit(descent.traced)

    def advance(position: Position, factors: np.ndarray) -> tuple[Position, Trace]:
        reading = Soft(*jnp.asarray(factors[0], float))
        coordinates = position.coordinates
        parameters = at(coordinates)
        histograms = pool.total(fill, parameters, reading)
        (value, converged), (of_histograms, direct) = of_whole(histograms, parameters, about)
        slope = to_coordinates(coordinates, direct, pool.total(pull_back, parameters, reading, of_histograms))
        finite = all_finite((value, slope))
        good = bool(finite & converged)
        values, slopes = jax.tree.map(lambda x: x[None], traced(coordinates, slope))
        trace = Trace(jnp.asarray(good, jnp.int32), -value[None], finite, values, slopes)
        return (move(position, value, slope) if good else position), trace

    return advance


def _no_line_search(coordinates: Coordinates) -> Any:
    raise TypeError(
        "this optimiser evaluates the objective along a line within a step, which takes all events in one program; "
        "give it one data set instead of shards, or choose an optimiser without a line search, such as optax.adam"
    )
