"""The loop around the compiled steps: it checks hard cuts, tells the watchers, saves, and stops when it is time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

import jax
import numpy as np

from ..data.pool import Pool
from ..parameters.parameter import Parameter
from ..parameters.parameters import Parameters
from ..selection.cut import Hard
from .attempt import Attempt, Record
from .checkpoint import Checkpoint
from .culprit import find_culprit
from .plan import Plan
from .steps import Advance, Descent, Trace


class Watcher(Protocol):
    """What `optimize` tells about its progress; a watcher that raises ends the optimisation."""

    def __call__(self, record: Record, steps: int) -> None:
        """Receive one step.

        Parameters
        ----------
        record
            What the step did.
        steps
            How many there will be at most.
        """


@dataclasses.dataclass(frozen=True)
class Course:
    """Everything that does not change from step to step.

    Attributes
    ----------
    descent
        How a step is made.
    plan
        When what happens.
    advance
        Makes steps.
    train
        The training events.
    validation
        The events on which hard cuts are compared, if they are not the training events.
    watchers
        Told of every step.
    save
        Called with checkpoints.
    """

    descent: Descent
    plan: Plan
    advance: Advance
    train: Pool
    validation: Pool | None
    watchers: Sequence[Watcher]
    save: Callable[[Checkpoint], None] | None

    def begin(self, start: Parameters, finished: tuple[Attempt, ...] = ()) -> Checkpoint:
        """Return the state before the first step.

        Parameters
        ----------
        start
            Where to start.
        finished
            Descents from earlier starts.
        """
        value = self.hard(self.validation or self.train, start)
        return Checkpoint(self.descent.start(start), Attempt(start, start, value), finished)

    def to_the_end(self, now: Checkpoint) -> Checkpoint:
        """Return the state after the last step.

        Parameters
        ----------
        now
            The state before some step.

        Raises
        ------
        FloatingPointError
            When the goal or a derivative is not finite.
        """
        while not self.plan.is_over(now.attempt):
            done = len(now.attempt.history)
            now = self.onwards(now)
            for record in now.attempt.history[done:]:
                for watcher in self.watchers:
                    watcher(record, self.plan.steps)
            if self.save is not None and self.plan.saves(len(now.attempt.history)):
                self.save(now)
        return now

    def onwards(self, now: Checkpoint) -> Checkpoint:
        """Return the state at the next pause.

        Parameters
        ----------
        now
            The state before some step.
        """
        first = len(now.attempt.history)
        last = self.plan.pause(first)
        factors = self.plan.factors(first, last)
        position, trace = self.advance(now.position, factors)
        present = self.descent.at(position.coordinates)
        made = int(trace.made)
        if made < last - first:
            self._give_up(first + made, present, float(trace.goals[made]))
        attempt = now.attempt.onwards(self._records(first, factors, trace))
        if self.plan.checks(last):
            hard = self.hard(self.train, present)
            validation = math.nan if self.validation is None else self.hard(self.validation, present)
            attempt = attempt.with_check(present, hard, validation)
        return Checkpoint(position, attempt, now.finished)

    def hard(self, pool: Pool, parameters: Parameters) -> float:
        """Return the goal with hard cuts.

        Parameters
        ----------
        pool
            The events.
        parameters
            The cut values.
        """
        return float(self.descent.goal.evaluate(pool, parameters, Hard()))

    def _records(self, first: int, factors: np.ndarray, trace: Trace) -> list[Record]:
        goals, (values, slopes) = np.asarray(trace.goals), jax.tree.map(np.asarray, (trace.values, trace.slopes))
        numbers, specs = self.descent.parameters.numbers(), self.descent.parameters.specs
        # what moves edges has no values of its own
        slopes = {k: v for k, v in slopes.items() if isinstance(specs[k], Parameter)}

        def record(i: int) -> Record:
            moved, sloping = (
                {k + at: x for k, v in traced.items() for at, x in specs[k].elements(v[i]).items()}
                for traced in (values, slopes)
            )
            width, bandwidth = map(float, factors[i])
            moved = {**numbers, **moved}
            return Record(first + i, float(goals[i]), width, math.nan, moved, bandwidth=bandwidth, slopes=sloping)

        return [record(i) for i in range(len(factors))]

    def _give_up(self, step: int, parameters: Parameters, value: float) -> NoReturn:
        culprit = find_culprit(self.descent.goal, self.train, parameters, self.plan.reading(step))
        raise FloatingPointError(f"step {step}: the objective is {value:g}; {culprit}; at {parameters!r}")
