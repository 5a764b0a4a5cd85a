"""How much an optimum depends on each cut: each is moved alone, with hard cuts, on events that had no part in it."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Mapping

import numpy as np

from hepgrad.analysis import Analysis, Folds, Hard, Parameters
from hepgrad.analysis.data.judged import Judged
from hepgrad.analysis.data.split import Part
from hepgrad.analysis.optimisation.programs.of_shards import Fill

from .bootstrap import replicated_objective
from .cut_profiles import AT_BOUND, EFFICIENCIES, NEARBY
from .cut_profiles import CutProfile as CutProfile
from .cut_profiles import Robustness as Robustness
from .cut_values import free_numbers, width_of, with_number

# the search for the value that keeps a wanted signal halves the interval so often
HALVINGS = 10


def robustness(
    analysis: Analysis,
    sample: Part | Folds,
    *parameters: Parameters,
    points: int = 9,
    replicas: int = 50,
    seed: int = 0,
) -> Robustness:
    """Tell how much an optimum depends on each of its cuts, on events that had no part in choosing it.

    Each free number is moved alone, over its whole range and closely around the optimum. The loss of a value is
    compared with the spread of that loss over bootstrap replicas, so that the events say which values are as good.

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
    replicas
        Of the events, at least 2.
    seed
        Of the replicas.

    Raises
    ------
    ValueError
        When no free parameter is a number, or there are too few points or replicas.

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
    >>> found = robustness(analysis, data, Parameters(met=Parameter(98.7, bounds=(0, 200))), replicas=20)
    >>> low, high = found.profiles[0].flat
    >>> low <= found.rounded["met"] <= high
    Array(True, dtype=bool)
    """
    if points < 2 or replicas < 2:
        raise ValueError(f"needs at least 2 points and 2 replicas, got {points} and {replicas}")
    judged = Judged.of(sample, *parameters)
    every = [free_numbers(at) for at in parameters]
    if not every[0]:
        raise ValueError(f"none of the parameters {list(parameters[0])} is a free number, whose value could be moved")
    scene = _Scene(analysis, judged, replicas, seed)
    profiles = [scene.profile(name, np.array([numbers[name] for numbers in every]), points) for name in every[0]]

    def round_all(at: Parameters) -> Parameters:
        return functools.reduce(lambda now, p: with_number(now, p.name, p.rounded), profiles, at)

    rounded = judged.changed(round_all)
    loss = scene.loss(rounded)
    return Robustness(analysis.merit, scene.best, tuple(profiles), rounded.parameters[0], *loss)


def expected_seconds(
    analysis: Analysis,
    sample: Part | Folds,
    *parameters: Parameters,
    points: int = 9,
    replicas: int = 50,
    seed: int = 0,
) -> float:
    """Return about how long `robustness` with the same arguments would take, without compilation.

    Parameters
    ----------
    analysis, sample, *parameters, points, replicas, seed
        As for `robustness`.
    """
    judged = Judged.of(sample, *parameters)
    scene = _Scene(analysis, judged, replicas, seed)
    name, value = next(iter(free_numbers(parameters[0]).items()), ("", 0.0))
    if not name:
        return 0.0
    scene.loss(judged)  # compiles what is not compiled yet
    times = []
    for evaluate in (lambda: scene.loss(judged), lambda: scene.signal(name, value)):
        begin = time.perf_counter()
        evaluate()
        times.append(time.perf_counter() - begin)
    several = points + len(NEARBY) + 1 + len(EFFICIENCIES)
    return len(free_numbers(parameters[0])) * (several * sum(times) + len(EFFICIENCIES) * HALVINGS * times[1])


@dataclasses.dataclass(frozen=True)
class _Scene:
    """What cuts are moved in: the events, and the optimum that all losses are from."""

    analysis: Analysis
    judged: Judged
    replicas: int
    seed: int

    @functools.cached_property
    def _optimum(self) -> tuple[float, np.ndarray]:
        return self._evaluate(self.judged)

    @property
    def best(self) -> float:
        """The objective at the optimum."""
        return self._optimum[0]

    def _evaluate(self, judged: Judged) -> tuple[float, np.ndarray]:
        histograms = judged.total(Fill(self.analysis), Hard())
        value = self.analysis.evaluation(histograms, judged.about, confirmed=True).believed
        replicated = replicated_objective(self.analysis, judged, replicas=self.replicas, seed=self.seed)
        return float(value), replicated

    def loss(self, judged: Judged) -> tuple[float, float, float]:
        """Return the objective with other values, by how much it is worse, and how well that is known."""
        best, best_replicas = self._optimum
        value, replicated = self._evaluate(judged)
        difference = (best_replicas - replicated)[np.isfinite(best_replicas - replicated)]
        return value, best - value, float(np.std(difference, ddof=1)) if len(difference) > 1 else math.nan

    def profile(self, name: str, optima: np.ndarray, points: int) -> CutProfile:
        """Return the profile of one number; its optimum in each group of events is given."""
        first = self.judged.parameters[0]
        optimum, width, (low, high) = float(np.median(optima)), width_of(first, name), first.ranges()[name]
        values = _grid(optimum, width, low, high, points)
        yields = {value: self.signal(name, value) for value in values.tolist()}
        for change in EFFICIENCIES:
            yields |= self._keeping(name, (1 + change) * yields[optimum], optimum, yields)
        values = np.array(sorted(yields))
        told = [self.loss(self._at(name, value)) for value in values.tolist()]
        columns = (np.array(column) for column in zip(*told, strict=True))
        spec = first.specs[name.partition("[")[0]]
        spread = float(np.std(optima, ddof=1)) if len(optima) > 1 else 0.0
        signal = np.array([yields[value] for value in values.tolist()])
        return CutProfile(name, spec.unit, optimum, width, (low, high), values, *columns, signal, spread)

    def _at(self, name: str, value: float) -> Judged:
        return self.judged.changed(lambda parameters: with_number(parameters, name, value))

    def signal(self, name: str, value: float) -> float:
        """Return the expected signal in all channels."""
        judged = self._at(name, value)
        rows = [judged.about.processes.index(process) for process in self.analysis.model.signal]
        filled = judged.total(Fill(self.analysis), Hard())
        return float(sum(np.asarray(counts.sumw, float)[rows].sum() for counts in filled.values()))

    def _keeping(self, name: str, wanted: float, optimum: float, yields: Mapping[float, float]) -> dict[float, float]:
        """Return the value next to the optimum that keeps a wanted signal, and what it keeps; nothing if none does."""
        low, high = self.judged.parameters[0].ranges()[name]
        inside = sorted(value for value in yields if low <= value <= high)
        crossing = [
            (a, b)
            for a, b in itertools.pairwise(inside)
            if min(yields[a], yields[b]) <= wanted <= max(yields[a], yields[b]) and yields[a] != yields[b]
        ]
        if not crossing:
            return {}
        a, b = min(crossing, key=lambda pair: abs(sum(pair) / 2 - optimum))
        below, above = (a, b) if yields[a] < yields[b] else (b, a)
        for _ in range(HALVINGS):
            middle = (below + above) / 2
            if self.signal(name, middle) < wanted:
                below = middle
            else:
                above = middle
        return {above: self.signal(name, above)}


def _grid(optimum: float, width: float, low: float, high: float, points: int) -> np.ndarray:
    """Return the values of a profile: over the range, around the optimum, and one beyond a bound that it is at."""
    near = optimum + width * np.array(NEARBY)
    inside = np.concatenate([np.linspace(low, high, points), near[(near >= low) & (near <= high)], [optimum]])
    margin = AT_BOUND * (high - low)
    outside = [low - width] if optimum - low < margin else [high + width] if high - optimum < margin else []
    return np.unique(np.concatenate([inside, outside]))
