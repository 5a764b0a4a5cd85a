"""How much an optimum depends on each cut: each is moved alone, with hard cuts, on events that had no part in it."""

from __future__ import annotations

import functools

import numpy as np

from hepgrad.analysis import Analysis, Folds, Parameters
from hepgrad.analysis.data.judged import Judged
from hepgrad.analysis.data.split import Part

from .cut_profiles import EFFICIENCIES, NEARBY, OtherOption
from .cut_profiles import CutProfile as CutProfile
from .cut_profiles import Robustness as Robustness
from .cut_values import free_choices, free_numbers, with_number, with_option
from .scene import Scene


def robustness(
    analysis: Analysis,
    sample: Part | Folds,
    *parameters: Parameters,
    points: int = 9,
) -> Robustness:
    """Tell how much an optimum depends on each of its cuts, on events that had no part in choosing it.

    Each free number is moved alone, over its whole range and closely around the optimum. The loss of a value is
    compared with what that loss would spread by with other simulated events, so that the events say which values are as
    good. That spread is the one of a bootstrap in which both values see the same events, to first order in how often
    each event counts: the infinitesimal jackknife (B. Efron, Canad. J. Statist. 9 (1981) 139).

    Parameters
    ----------
    analysis
        What was optimised.
    sample
        Events that the optimisation did not see: ``data.held_out``; of a cross-fit, the folds.
    *parameters
        The optimum: ``result.optimum.parameters``; of a cross-fit those of each fold. A cut is then moved in all folds
        to the same value, and the others stay what they are in each.
    points
        Values over the range of each cut, beside those around the optimum.

    Raises
    ------
    ValueError
        When no free parameter is a number, or there are too few points.

    Examples
    --------
    >>> import awkward as ak, numpy as np
    >>> from hepgrad.analysis import Analysis, Channel, CountingModel, Dataset, Parameter, Parameters, Regular, stage
    >>> from hepgrad.workflows.results.robustness import robustness
    >>> @stage(reads=("met",))
    ... def select(events, cut):
    ...     return events.select(events.met > cut.met)
    >>> rng = np.random.default_rng(0)
    >>> met = {"signal": rng.normal(120, 20, 400), "other": rng.exponential(40, 400)}
    >>> samples = {name: ak.zip({"met": values}) for name, values in met.items()}
    >>> data = Dataset.from_awkward(samples, {"signal": np.full(400, 0.1), "other": np.ones(400)})
    >>> analysis = Analysis([select], [Channel("sr", "met", Regular(1, 0, 1000))], CountingModel(["signal"], 0.1))
    >>> found = robustness(analysis, data, Parameters(met=Parameter(98.7, bounds=(0, 200))))
    >>> low, high = found.profiles[0].flat
    >>> low <= found.rounded["met"] <= high
    Array(True, dtype=bool)
    """
    if points < 2:
        raise ValueError(f"needs at least 2 points, got {points}")
    judged = Judged.of(sample, *parameters)
    every = [free_numbers(at) for at in parameters]
    choices = free_choices(parameters[0])
    if not every[0] and not choices:
        raise ValueError(f"none of the parameters {list(parameters[0])} is a free number, whose value could be moved")
    scene = Scene(analysis, judged)
    profiles = [scene.profile(name, np.array([numbers[name] for numbers in every]), points) for name in every[0]]

    def round_all(at: Parameters) -> Parameters:
        return functools.reduce(lambda now, p: with_number(now, p.name, p.rounded), profiles, at)

    rounded = judged.changed(round_all)
    loss = scene.loss(rounded)
    options = [
        OtherOption(name, word, *scene.loss(judged.changed(functools.partial(with_option, name=name, word=word))))
        for name, words in choices.items()
        for word in words
    ]
    return Robustness(analysis.merit, scene.best, tuple(profiles), rounded.parameters[0], *loss, tuple(options))


def evaluations(parameters: Parameters, points: int) -> int:
    """Return how many losses `robustness` evaluates."""
    numbers = len(free_numbers(parameters))
    several = points + len(NEARBY) + 1 + len(EFFICIENCIES)
    return numbers * several + sum(map(len, free_choices(parameters).values()))
