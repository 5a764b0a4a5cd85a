"""A search: how steps are made and when what happens, for any events; one run of it is an optimisation."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import optax

from ..analysis import Analysis
from ..data.dataset import Dataset
from ..data.pool import Pool
from ..data.split import Part, Split
from ..parameters.bounds import Bounds, Projection
from ..parameters.neighbours import neighbours
from ..parameters.parameters import Parameters
from ..selection.cut import Hard
from ..statistics.objectives import Evaluation
from .attempt import Attempt, best_of
from .checkpoint import Checkpoint
from .goal import Goal
from .loop import Course, Watcher, failed
from .penalty import Penalty
from .plan import Plan
from .programs.resampled import on_replicas
from .programs.sharded import over_shards
from .result import Point, Result
from .schedule import Anneal, Schedule
from .steps import Advance, Descent, program_of_steps


@dataclasses.dataclass(frozen=True)
class Search:
    """Everything of an optimisation but its events.

    Attributes
    ----------
    analysis
        What is optimised.
    descent
        How a step is made.
    plan
        When what happens.
    resample
        Seed of the replicas that steps are made on; None for the events as they are.
    """

    analysis: Analysis
    descent: Descent
    plan: Plan
    resample: int | None = None

    @classmethod
    def of(
        cls,
        analysis: Analysis,
        parameters: Parameters,
        *,
        optimizer: optax.GradientTransformation | None = None,
        bounds: Bounds | None = None,
        penalties: Sequence[Penalty] = (),
        steps: int = 300,
        anneal: Schedule | None = None,
        anneal_bandwidth: Schedule | None = None,
        check_every: int = 10,
        patience: int | None = None,
        steps_per_call: int = 1,
        save_every: int | None = None,
        resample: int | None = None,
    ) -> Search:
        """Return the search with the arguments of `optimize`.

        Raises `ValueError` when every parameter is frozen, or a number of steps is not positive.
        """
        if not parameters.free:
            raise ValueError("every parameter is frozen; there is nothing to optimise")
        width = anneal or Anneal()
        plan = Plan(
            steps,
            width=width,
            bandwidth=anneal_bandwidth or width,
            check_every=check_every,
            save_every=check_every if save_every is None else save_every,
            steps_per_call=steps_per_call,
            patience=patience,
        )
        goal = Goal(analysis, tuple(penalties))
        descent = Descent(goal, parameters, optimizer or optax.adam(0.1), bounds or Projection())
        return cls(analysis, descent, plan, resample)

    def steps_on(self, train: Part) -> Callable[[Any], Advance]:
        """Return a function from training events to one that makes steps on them; it begins to compile at once.

        Data sets of the same shape as ``train`` share one program. Raises `ValueError` when several steps
        per call are to go over shards, or are each to have a replica.
        """
        if self.resample is not None:
            if not isinstance(train, Dataset) or self.plan.steps_per_call > 1:
                raise ValueError("steps on replicas are made one by one, and need all training events in one data set")
            return on_replicas(self.descent, train, self.resample)
        if isinstance(train, Dataset):
            start = self.descent.start(self.descent.parameters)
            return program_of_steps(self.descent, train, start, self.plan.steps_per_call)
        if self.plan.steps_per_call > 1:
            raise ValueError(
                "several steps per call need all training events in one data set; shards are read one by one"
            )
        return lambda train: over_shards(self.descent, Pool.of(train))

    def run(
        self,
        data: Split,
        steps_on: Callable[[Any], Advance],
        *,
        begin: Parameters | None = None,
        starts: Sequence[Parameters] = (),
        watchers: Sequence[Watcher] = (),
        save: Callable[[Checkpoint], None] | None = None,
        resume: Checkpoint | None = None,
        attempts: tuple[Attempt, ...] = (),
    ) -> Result:
        """Return where the objective is largest; see `optimize`.

        ``steps_on`` is from the method of that name, for events of these shapes. Of ``attempts``, descents that were
        made already, only the end is evaluated. Raises `FloatingPointError`, `FitError` as `optimize`.
        """
        descent, parameters = self.descent, self.descent.parameters
        validation = None if data.validation is None else Pool.of(data.validation)
        train, held_out = Pool.of(data.train), Pool.of(data.held_out)
        advance = steps_on(data.train if isinstance(data.train, Dataset) else train)
        course = Course(descent, self.plan, advance, train, validation, tuple(watchers), save)
        soft = self.plan.reading(self.plan.steps - 1)
        # first, while another thread compiles the program of the steps; the end is evaluated by the same programs
        start = Point.of(self.analysis, train, held_out, parameters, soft, where="the start")

        if not attempts:
            now = course.to_the_end(resume or course.begin(begin or parameters))
            for another in starts[len(now.finished) :]:
                now = course.to_the_end(course.begin(another, (*now.finished, now.attempt)))
            attempts = (*now.finished, now.attempt)
        attempts = tuple(best_neighbour(each, functools.partial(course.hard, course.choosing)) for each in attempts)

        best = best_of(attempts)
        if not math.isfinite(best.best_value):
            what = "every point that was checked with hard cuts"
            raise failed(what, descent.goal, course.choosing, best.best, Hard())
        optimum = Point.of(self.analysis, train, held_out, best.best, soft)
        if not optimum.hard_held_out.converged:
            what = "the optimum, with hard cuts on held-out events"
            raise failed(what, Goal(self.analysis), held_out, best.best, Hard())
        return Result(start, optimum, attempts, self.analysis.merit)


def best_neighbour(attempt: Attempt, evaluate: Callable[[Parameters], Evaluation]) -> Attempt:
    """Return an attempt whose best point is better than all points that differ from it in a single choice.

    ``evaluate`` gives the goal with hard cuts on the events that choose.
    """
    better = True
    while better:
        better = False
        for point in neighbours(attempt.best):
            found = evaluate(point)
            if bool(found.converged) and float(found.value) > attempt.best_value:
                attempt = dataclasses.replace(attempt, best=point, best_value=float(found.value))
                better = True
    return attempt
