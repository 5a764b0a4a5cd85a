"""Gradient descent on the cuts of an analysis, which a person can watch, stop and take up again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import optax

from ..analysis import Analysis
from ..data.dataset import Dataset
from ..data.pool import Pool
from ..data.split import Split
from ..parameters.bounds import Bounds, Projection
from ..parameters.parameters import Parameters
from ..selection.cut import Hard
from .attempt import best_of
from .checkpoint import Checkpoint
from .goal import Goal
from .loop import Course, Watcher, failed
from .penalty import Penalty
from .plan import Plan
from .programs.sharded import over_shards
from .result import Point, Result
from .schedule import Anneal, Schedule
from .steps import Descent, in_one_program


def optimize(
    analysis: Analysis,
    data: Split,
    *,
    parameters: Parameters,
    begin: Parameters | None = None,
    starts: Sequence[Parameters] = (),
    optimizer: optax.GradientTransformation | None = None,
    bounds: Bounds | None = None,
    penalties: Sequence[Penalty] = (),
    steps: int = 300,
    anneal: Schedule | None = None,
    anneal_bandwidth: Schedule | None = None,
    check_every: int = 10,
    patience: int | None = None,
    steps_per_call: int = 1,
    watchers: Sequence[Watcher] = (),
    save: Callable[[Checkpoint], None] | None = None,
    save_every: int | None = None,
    resume: Checkpoint | None = None,
) -> Result:
    """Move the parameters to where the objective is largest.

    Gradients come from the soft reading on the training events. Every ``check_every`` steps the hard reading is
    evaluated on the validation events (the training events when there are none), and the best of these points is the
    result: what counts in the end are real cuts. The held-out events choose nothing.

    Parameters
    ----------
    analysis
        What is optimised.
    data
        Training and held-out events, and perhaps events for the validation.
    parameters
        Where to start; what the result is compared with.
    begin
        Where the first descent begins, if not there.
    starts
        More points to start from, one after the other (`draw_starts`); the best result of all wins.
    optimizer
        Any optax transformation that minimises, ``optax.adam(0.1)`` by default; its learning rate is in units of the
        parameters' scales.
    bounds
        How parameters stay inside their bounds, `Projection` by default.
    penalties
        Taken off the objective, in both readings: `MinimumYield`, `MaximumChange`, or your own.
    steps
        Number of steps from each start.
    anneal
        The factor on the widths of the soft cuts from step to step.
    anneal_bandwidth
        The factor on the bandwidths of the channels; by default that of the widths.
    check_every
        Steps between hard evaluations.
    patience
        Stop a descent after so many hard evaluations in a row without a better one.
    steps_per_call
        Make so many steps before Python looks again, which spares an accelerator waiting; the result is the same to
        the bit, and watchers still see every step.
    watchers
        Called after every step, for progress bars and logs.
    save
        Called with checkpoints.
    save_every
        Steps between checkpoints; as often as hard evaluations by default.
    resume
        Go on from this checkpoint of a run with the same arguments; the result is the same to the bit.

    Returns
    -------
    Result
        Start and optimum in both readings on both halves, and the history.

    Raises
    ------
    FloatingPointError
        When the objective or a derivative is not finite; names the step, the stage that began it, and the parameters.
    FitError
        When a fit that a step rests on does not converge, from any of its starts; names the step, the parameters, and
        where the fit ended. So too when there is no converged fit at the optimum with hard cuts on the held-out events,
        or at any point that was checked with hard cuts. At one of these points a failure costs no more than the point.
    ValueError
        When every parameter is frozen, a number of steps is not positive, or several steps per call are to go over
        shards.
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
    course = _course(descent, plan, data, watchers, save)
    soft, held_out = plan.reading(steps - 1), Pool.of(data.held_out)
    # first, while another thread compiles the program of the steps; the end is evaluated by the same programs as this
    start = Point.of(analysis, course.train, held_out, parameters, soft, where="the start")

    now = course.to_the_end(resume or course.begin(begin or parameters))
    for another in starts[len(now.finished) :]:
        now = course.to_the_end(course.begin(another, (*now.finished, now.attempt)))

    attempts = (*now.finished, now.attempt)
    best = best_of(attempts)
    if not math.isfinite(best.best_value):
        raise failed("every point that was checked with hard cuts", goal, course.choosing, best.best, Hard())
    optimum = Point.of(analysis, course.train, held_out, best.best, soft)
    if not optimum.hard_held_out.converged:
        raise failed("the optimum, with hard cuts on held-out events", Goal(analysis), held_out, best.best, Hard())
    return Result(start, optimum, attempts, analysis.merit)


def _course(
    descent: Descent,
    plan: Plan,
    data: Split,
    watchers: Sequence[Watcher],
    save: Callable[[Checkpoint], None] | None,
) -> Course:
    train = Pool.of(data.train)
    if isinstance(data.train, Dataset):
        advance = in_one_program(descent, data.train, descent.start(descent.parameters), plan.steps_per_call)
    elif plan.steps_per_call == 1:
        advance = over_shards(descent, train)
    else:
        raise ValueError("several steps per call need all training events in one data set; shards are read one by one")
    validation = None if data.validation is None else Pool.of(data.validation)
    return Course(descent, plan, advance, train, validation, tuple(watchers), save)
