"""When things happen during an optimisation."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np

from ..selection.cut import Soft
from .attempt import Attempt
from .schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Plan:
    """How many steps there are, how soft the cuts are at each, and after which of them something is done.

    Attributes
    ----------
    steps
        At most so many.
    width, bandwidth
        The factors on the widths of the cuts and on the bandwidths of the channels.
    check_every
        Steps between evaluations with hard cuts.
    save_every
        Steps between checkpoints.
    steps_per_call
        The largest number of steps made without returning to Python.
    patience
        Stop after so many hard evaluations in a row without a better one; None never stops early.

    Raises
    ------
    ValueError
        When a number is not positive.
    """

    steps: int
    width: Schedule
    bandwidth: Schedule
    check_every: int
    save_every: int
    steps_per_call: int
    patience: int | None

    def __post_init__(self) -> None:
        for name in ("steps", "check_every", "save_every", "steps_per_call", "patience"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ValueError(f"{name} must be positive, got {number}")

    def pause(self, done: int) -> int:
        """Return after how many steps Python has to look again."""
        pauses = [self.steps, done + self.steps_per_call]
        pauses += [(done // every + 1) * every for every in (self.check_every, self.save_every)]
        return min(pauses)

    def checks(self, done: int) -> bool:
        """Return whether hard cuts are evaluated after so many steps."""
        return done % self.check_every == 0 or done == self.steps

    def saves(self, done: int) -> bool:
        """Return whether a checkpoint is saved after so many steps."""
        return done % self.save_every == 0 or done == self.steps

    def factors(self, first: int, last: int) -> np.ndarray:
        """Return the factors on widths and bandwidths of steps ``first`` to ``last - 1``, shape (last - first, 2).

        Steps are counted from 0.
        """
        schedules = (self.width, self.bandwidth)
        return np.array([[schedule(i, self.steps) for schedule in schedules] for i in range(first, last)], float)

    def reading(self, step: int) -> Soft:
        """Return the soft reading of one step.

        Steps are counted from 0.
        """
        return Soft(*jnp.asarray(self.factors(step, step + 1)[0], float))

    def is_over(self, attempt: Attempt) -> bool:
        """Return whether an attempt has made all its steps, or has not become better for too long."""
        done = len(attempt.history)
        late = [record for record in attempt.history[attempt.best_step :] if record.checks]
        return done >= self.steps or (self.patience is not None and len(late) >= self.patience)
