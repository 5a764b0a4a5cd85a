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
from ..selection.cut import Hard, Reading
from ..statistics import FitError
from ..statistics.objectives import Evaluation
from .attempt import Attempt, StepRecord
from .checkpoint import Checkpoint
from .culprit import find_culprit, find_failure
from .goal import Goal
from .plan import Plan
from .steps import Advance, Descent, Trace


class Watcher(Protocol):
    """What `optimize` tells about its progress; a watcher that raises ends the optimisation."""

    def __call__(self, record: StepRecord, steps: int) -> None:
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

    Hard cuts are compared on the ``validation`` events, if these are not the training events.
    """

    descent: Descent
    plan: Plan
    advance: Advance
    train: Pool
    validation: Pool | None
    watchers: Sequence[Watcher]
    save: Callable[[Checkpoint], None] | None

    @property
    def choosing(self) -> Pool:
        """The events on which hard cuts are compared."""
        return self.validation or self.train

    def begin(self, start: Parameters, finished: tuple[Attempt, ...] = ()) -> Checkpoint:
        """Return the state before the first step.

        Raises `FloatingPointError` when the goal with hard cuts is not finite there. A fit that fails is counted; the
        steps may lead away.
        """
        pool = self.choosing
        goal = self.hard(pool, start)
        if not np.isfinite(goal.value):
            raise not_finite("the start", float(goal.value), self.descent.goal, pool, start, Hard())
        value, failed = (float(goal.value), 0) if goal.converged else (-math.inf, 1)
        return Checkpoint(self.descent.start(start), Attempt(start, start, value, failed=failed), finished)

    def to_the_end(self, now: Checkpoint) -> Checkpoint:
        """Return the state after the last step.

        Raises `FloatingPointError` when the goal or a derivative is not finite, `FitError` when a fit does not converge
        from any of its starts.
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
        """Return the state at the next pause."""
        first = len(now.attempt.history)
        last = self.plan.pause(first)
        factors = self.plan.factors(first, last)
        position, trace = self.advance(now.position, factors)
        present = self.descent.present(position)
        made = int(trace.made)
        if made < last - first:
            self._give_up(first + made, present, float(trace.goals[made]), finite=bool(trace.finite))
        attempt = now.attempt.onwards(self._records(first, factors, trace))
        if self.plan.checks(last):
            goals = [self.hard(pool, present) for pool in (self.train, self.validation) if pool is not None]
            hard, validation = [*(float(goal.believed) for goal in goals), math.nan][:2]
            attempt = attempt.with_check(present, hard, validation, failed=sum(not goal.converged for goal in goals))
        return Checkpoint(position, attempt, now.finished)

    def hard(self, pool: Pool, parameters: Parameters) -> Evaluation:
        """Return the goal with hard cuts, and whether to believe it."""
        return self.descent.goal.evaluate(pool, parameters, Hard())

    def _records(self, first: int, factors: np.ndarray, trace: Trace) -> list[StepRecord]:
        goals, (values, slopes) = np.asarray(trace.goals), jax.tree.map(np.asarray, (trace.values, trace.slopes))
        numbers, specs = self.descent.parameters.numbers(), self.descent.parameters.specs
        # what moves edges has no values of its own
        slopes = {k: v for k, v in slopes.items() if isinstance(specs[k], Parameter)}

        def record(i: int) -> StepRecord:
            moved, sloping = (
                {k + at: x for k, v in traced.items() for at, x in specs[k].elements(v[i]).items()}
                for traced in (values, slopes)
            )
            width, bandwidth = map(float, factors[i])
            moved = {**numbers, **moved}
            return StepRecord(first + i, float(goals[i]), width, math.nan, moved, bandwidth=bandwidth, slopes=sloping)

        return [record(i) for i in range(len(factors))]

    def _give_up(self, step: int, parameters: Parameters, value: float, *, finite: bool) -> NoReturn:
        goal, reading = self.descent.goal, self.plan.reading(step)
        if not finite:
            raise not_finite(f"step {step}", value, goal, self.train, parameters, reading)
        raise failed(f"step {step}", goal, self.train, parameters, reading)


def not_finite(
    where: str, value: float, goal: Goal, pool: Pool, parameters: Parameters, reading: Reading
) -> FloatingPointError:
    """Return the error to raise where a goal or a derivative is NaN or infinite; it names the culprit."""
    culprit = find_culprit(goal, pool, parameters, reading)
    return FloatingPointError(f"{where}: the objective is {value:g}; {culprit}; at {parameters!r}")


def failed(where: str, goal: Goal, pool: Pool, parameters: Parameters, reading: Reading) -> FitError:
    """Return the error to raise where a fit failed from all its starts; it says where the fit ended."""
    reason = find_failure(goal, pool, parameters, reading)
    return FitError(f"{where}: there is no figure of merit, because a fit failed: {reason}; at {parameters!r}")
