"""Gradient descent on the cuts of an analysis: one jitted step, and a loop around it that a person can watch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import jax
import jax.numpy as jnp
import optax

from ..analysis import Analysis
from ..cut import Hard, Soft
from ..dataset import Dataset
from ..parameters import Parameters
from .checkpoint import Checkpoint
from .result import Point, Record, Result
from .schedule import Anneal

Scaled: TypeAlias = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class Split:
    """Events to optimise on, and events that the optimiser never sees.

    Attributes
    ----------
    train
        Events that the gradient is computed from.
    held_out
        Events on which the result is reported; weighted to the same luminosity.
    """

    train: Dataset
    held_out: Dataset


class Watcher(Protocol):
    """What `optimize` tells about its progress."""

    def __call__(self, record: Record, steps: int) -> None:
        """Receive one step.

        Parameters
        ----------
        record
            What the step did.
        steps
            How many there will be.
        """


def make_step(
    analysis: Analysis, parameters: Parameters, optimizer: optax.GradientTransformation
) -> jax.stages.Wrapped:
    """Return the jitted step ``(scaled, state, data, width) -> (scaled, state, objective, gradient)``.

    The objective and its gradient are those *before* the update, in units of the parameters' scales. After the update
    the values are projected into the bounds.

    Parameters
    ----------
    analysis
        What is optimised.
    parameters
        Names, scales and bounds; their values are not used.
    optimizer
        Any optax transformation that minimises.
    """
    low, high = parameters.scaled_bounds()

    def loss(scaled: Scaled, data: Dataset, width: jax.Array) -> jax.Array:
        return -analysis.evaluate(data, parameters.from_scaled(scaled), Soft(width))

    @jax.jit
    def step(scaled: Scaled, state: Any, data: Dataset, width: jax.Array) -> tuple[Scaled, Any, jax.Array, Scaled]:
        value, gradient = jax.value_and_grad(loss)(scaled, data, width)
        updates, state = optimizer.update(gradient, state, scaled)
        moved = optax.projections.projection_box(optax.apply_updates(scaled, updates), low, high)
        return moved, state, -value, jax.tree.map(jnp.negative, gradient)

    return step


def optimize(
    analysis: Analysis,
    data: Split,
    *,
    parameters: Parameters,
    optimizer: optax.GradientTransformation | None = None,
    steps: int = 300,
    anneal: Anneal | None = None,
    check_every: int = 10,
    watchers: Sequence[Watcher] = (),
    save: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
) -> Result:
    """Move the parameters to where the objective is largest.

    Gradients come from the soft reading on the training events. Every ``check_every`` steps the hard reading is
    evaluated on the same events, and the best of these points is the result: what counts in the end are real cuts. The
    held-out events choose nothing.

    Parameters
    ----------
    analysis
        What is optimised.
    data
        Training and held-out events.
    parameters
        Where to start.
    optimizer
        ``optax.adam(0.1)`` by default; its learning rate is in units of the parameters' scales.
    steps
        Number of steps.
    anneal
        The width factor of the soft cuts from step to step.
    check_every
        Steps between hard evaluations on the training events.
    watchers
        Called after every step, for progress bars and logs.
    save
        Called with a checkpoint after every hard evaluation.
    resume
        Go on from this checkpoint of a run with the same arguments; the result is the same to the bit.

    Returns
    -------
    Result
        Start and optimum in both readings on both halves, and the history.

    Raises
    ------
    FloatingPointError
        When the objective or a derivative is not finite; names the step and the parameters.
    ValueError
        When every parameter is frozen or ``steps`` is not positive.
    """
    if not parameters.free:
        raise ValueError("every parameter is frozen; there is nothing to optimise")
    if steps < 1 or check_every < 1:
        raise ValueError(f"steps and check_every must be positive, got {steps} and {check_every}")
    optimizer = optimizer or optax.adam(0.1)
    anneal = anneal or Anneal()
    step = make_step(analysis, parameters, optimizer)

    now = resume or Checkpoint.start(analysis, data.train, parameters, optimizer)
    scaled, state, best, best_value, history = now.scaled, now.state, now.best, now.best_value, list(now.history)
    # compiled ahead of time: a second compilation cannot happen unnoticed, a call that does not fit raises
    compiled = step.lower(scaled, state, data.train, jnp.asarray(1.0, float)).compile()
    for i in range(len(history), steps):
        width = anneal(i, steps)
        before = parameters.from_scaled(scaled)
        scaled, state, value, gradient = compiled(scaled, state, data.train, jnp.asarray(width, float))
        _check_finite(i, before, float(value), gradient)
        checked = math.nan
        if (i + 1) % check_every == 0 or i + 1 == steps:
            present = parameters.from_scaled(scaled)
            checked = float(analysis.evaluate(data.train, present, Hard()))
            if checked > best_value:
                best, best_value = present, checked
        history.append(Record(i, float(value), width, checked, before.to_dict()))
        for watcher in watchers:
            watcher(history[-1], steps)
        if save is not None and not math.isnan(checked):
            save(Checkpoint(scaled, state, best, best_value, tuple(history)))

    soft = Soft(jnp.asarray(anneal.stop, float))
    start, optimum = (Point.of(analysis, data.train, data.held_out, p, soft) for p in (parameters, best))
    return Result(start, optimum, tuple(history))


def _check_finite(step: int, parameters: Parameters, value: float, gradient: Scaled) -> None:
    bad = [name for name, slope in gradient.items() if not math.isfinite(float(slope))]
    if bad or not math.isfinite(value):
        raise FloatingPointError(
            f"step {step}: the objective is {value} and its derivative with respect to {bad or 'no parameter'} is not "
            f"finite, at {parameters}"
        )
