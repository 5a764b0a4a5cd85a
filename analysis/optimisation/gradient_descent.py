"""Gradient descent on the cuts of an analysis, which a person can watch, stop and take up again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import optax

from ..analysis import Analysis
from ..data.split import Split
from ..parameters.bounds import Bounds
from ..parameters.parameters import Parameters
from .checkpoint import Checkpoint
from .loop import Watcher
from .penalty import Penalty
from .result import Result
from .schedule import Schedule
from .search import Search


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
    resample: int | None = None,
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
    resample
        Make each step on another bootstrap replica of the training events, of this seed: the noise of the gradient is
        then that of the sample. Hard cuts are compared on the events as they are.

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
        When every parameter is frozen, a number of steps is not positive, or several steps per call, or replicas, are
        to go over shards.
    """
    search = Search.of(
        analysis,
        parameters,
        optimizer=optimizer,
        bounds=bounds,
        penalties=penalties,
        steps=steps,
        anneal=anneal,
        anneal_bandwidth=anneal_bandwidth,
        check_every=check_every,
        patience=patience,
        steps_per_call=steps_per_call,
        save_every=save_every,
        resample=resample,
    )
    steps_on = search.steps_on(data.train)
    return search.run(data, steps_on, begin=begin, starts=starts, watchers=watchers, save=save, resume=resume)
