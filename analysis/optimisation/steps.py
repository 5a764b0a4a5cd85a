"""Steps of gradient descent: what one is made of, and a compiled program that makes several of them in one call."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hepgrad import ragged as rg

from ..data.dataset import Dataset
from ..parameters.bounds import Bounds, Coordinates
from ..parameters.parameters import Parameters
from ..selection.cut import Soft
from .goal import Goal
from .programs.averaged import Averaged
from .programs.background import in_background


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Position:
    """Where a descent is between two steps.

    Attributes
    ----------
    coordinates
        What the optimiser moves (see `Bounds`).
    state
        The optimiser's state, a pytree of arrays.
    """

    coordinates: Coordinates
    state: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Trace:
    """What some steps in a row saw.

    Attributes
    ----------
    made
        How many were made: fewer than asked for when the goal or a derivative was not finite, or a fit behind them did
        not converge; the position is then the one where that happened.
    goals
        Shape (steps,): the goal before each update; NaN for a step that was not tried.
    finite
        Whether goal and derivatives of the last step that was tried were, scalar bool.
    values
        By parameter, without weights, of shape (steps, ...): the values before each update.
    slopes
        The same for the derivative of the goal with respect to the coordinates.
    """

    made: jax.Array
    goals: jax.Array
    finite: jax.Array
    values: dict[str, jax.Array]
    slopes: dict[str, jax.Array]


# from a position, by as many steps as there are rows of factors on widths and bandwidths, shape (steps, 2)
Advance: TypeAlias = Callable[[Position, np.ndarray], tuple[Position, Trace]]


@dataclasses.dataclass(frozen=True)
class Descent:
    """How one step is made from a gradient.

    Of the parameters names, scales and bounds are used, not the values of free ones.
    """

    goal: Goal
    parameters: Parameters
    optimizer: optax.GradientTransformation
    bounds: Bounds

    def at(self, coordinates: Coordinates) -> Parameters:
        """Return the parameters at some coordinates."""
        return self.bounds.parameters(coordinates, self.parameters)

    def present(self, position: Position) -> Parameters:
        """Return the parameters that a position stands for: the mean of the last ones where they are averaged."""
        if not isinstance(position.state, Averaged):
            return self.at(position.coordinates)
        return self.at(self.bounds.restored(position.state.mean, self.parameters))

    def start(self, parameters: Parameters) -> Position:
        """Return the position before the first step."""
        coordinates = self.bounds.coordinates(parameters)
        return Position(coordinates, self.optimizer.init(coordinates))

    def move(self, position: Position, loss: jax.Array, slope: Coordinates, **more: Any) -> Position:
        """Return the position after one update.

        ``loss`` is the goal's negative, ``slope`` its gradient; a line search needs ``more``: the loss as ``value_fn``.
        """
        optimizer = optax.with_extra_args_support(self.optimizer)
        updates, state = optimizer.update(slope, position.state, position.coordinates, value=loss, grad=slope, **more)
        moved = self.bounds.restored(optax.apply_updates(position.coordinates, updates), self.parameters)
        return Position(moved, state)

    def traced(self, coordinates: Coordinates, slope: Coordinates) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
        """Return the values that a history records, those of all free parameters that are not weights, and the slopes.

        ``slope`` is the gradient of the loss.
        """
        values = self.at(coordinates)
        names = [name for name in values.free if isinstance(values[name], jax.Array)]
        return {name: values[name] for name in names}, {name: -slope[name] for name in names}


def in_one_program(descent: Descent, data: Dataset, start: Position, most: int) -> Advance:
    """Return a function that makes several steps in one call of one compiled program.

    Arguments are those of `program_of_steps`.
    """
    return program_of_steps(descent, data, start, most)(data)


def program_of_steps(descent: Descent, data: Dataset, start: Position, most: int) -> Callable[[Dataset], Advance]:
    """Return a function from events to one that makes several steps on them in one call of one compiled program.

    The number of steps is an argument of the program, so that one compilation serves every number, and the result is
    the same whether steps are made one by one or together. So are the events: data sets of one shape share it. ``data``
    and ``start`` matter for their shapes; ``most`` is the largest number of steps in one call.
    """
    # Compiled ahead of time: a second compilation cannot happen unnoticed, a call that does not fit raises; and while
    # the start is evaluated with hard cuts, for which there are other programs to compile. Its checks are numbers that
    # it returns, so that it can be kept on disk, and raise errors here.
    program = jax.jit(rg.with_checks(make_step(descent)))
    compiled = in_background(program.lower(start, data, jnp.ones((most, 2), float), np.int32(1)).compile)

    def advance(data: Dataset, position: Position, factors: np.ndarray) -> tuple[Position, Trace]:
        padded = jnp.asarray(np.resize(factors, (most, 2)), float)
        moved, checks = compiled.result()(position, data, padded, np.int32(len(factors)))
        checks.throw()
        result: tuple[Position, Trace] = moved
        return result

    return lambda data: functools.partial(advance, data)


def make_step(descent: Descent) -> jax.stages.Wrapped:
    """Return the jitted function ``(position, data, factors, number) -> (position, trace)`` behind `in_one_program`."""

    def loss(coordinates: Coordinates, data: Dataset, reading: Soft) -> tuple[jax.Array, jax.Array]:
        parameters = descent.at(coordinates)
        histograms = descent.goal.analysis.histograms(data, parameters, reading)
        goal = descent.goal.of_histograms(histograms, parameters, data)
        return -goal.value, goal.converged

    @jax.jit
    def step(position: Position, data: Dataset, factors: jax.Array, number: jax.Array) -> tuple[Position, Trace]:
        def one(carry: tuple[Position, Trace, jax.Array]) -> tuple[Position, Trace, jax.Array]:
            position, trace, _ = carry
            i = trace.made
            reading = Soft(*factors[i])
            (value, converged), slope = jax.value_and_grad(loss, has_aux=True)(position.coordinates, data, reading)
            finite = all_finite((value, slope))
            good = finite & converged

            def along_a_line(coordinates: Coordinates) -> jax.Array:
                value, converged = loss(coordinates, data, reading)
                # no line search stops at a point whose fit failed
                return jnp.where(converged, value, jnp.inf)

            moved = descent.move(position, value, slope, value_fn=along_a_line)
            values, slopes = jax.tree.map(
                lambda all_, now: all_.at[i].set(now),
                (trace.values, trace.slopes),
                descent.traced(position.coordinates, slope),
            )
            seen = Trace(i + good, trace.goals.at[i].set(-value), finite, values, slopes)
            stay = jax.tree.map(lambda new, old: jnp.where(good, new, old), moved, position)
            return stay, seen, good

        def goes_on(carry: tuple[Position, Trace, jax.Array]) -> jax.Array:
            _, trace, good = carry
            return good & (trace.made < number)

        most = factors.shape[0]
        traced = jax.eval_shape(descent.traced, position.coordinates, position.coordinates)
        value, _ = jax.eval_shape(loss, position.coordinates, data, Soft(*factors[0]))
        values, slopes = jax.tree.map(lambda s: jnp.zeros((most, *s.shape), s.dtype), traced)
        goals, finite = jnp.full(most, jnp.nan, value.dtype), jnp.asarray(True)
        nothing = Trace(jnp.zeros((), jnp.int32), goals, finite, values, slopes)
        position, trace, _ = jax.lax.while_loop(goes_on, one, (position, nothing, jnp.asarray(True)))
        return position, trace

    return step


def all_finite(tree: Any) -> jax.Array:
    """Return whether every number of a pytree is finite (bool scalar)."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))
