"""The events and the optimum from which cuts are moved, and what a move costs: with hard cuts, and its uncertainty."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Mapping

import jax
import numpy as np

from hepgrad.analysis import Analysis, Dataset, Hard
from hepgrad.analysis.data.judged import Judged
from hepgrad.analysis.optimisation.programs.influence import VarianceOfDifference
from hepgrad.analysis.optimisation.programs.of_shards import Fill
from hepgrad.analysis.systematics import Templates

from .cut_profiles import AT_BOUND, EFFICIENCIES, NEARBY, CutProfile
from .cut_values import width_of, with_number

# the search for the value that keeps a wanted signal halves the interval so often
HALVINGS = 10


@dataclasses.dataclass(frozen=True)
class Scene:
    """What cuts are moved in.

    Attributes
    ----------
    analysis
        What was optimised.
    judged
        The events and the optimum, which all losses are compared with.
    """

    analysis: Analysis
    judged: Judged

    @functools.cached_property
    def _optimum(self) -> tuple[float, Templates]:
        return self._evaluate(self.judged)

    @property
    def best(self) -> float:
        """The objective at the optimum."""
        return self._optimum[0]

    def _evaluate(self, judged: Judged) -> tuple[float, Templates]:
        """Return the objective, and its derivative with respect to the histograms."""
        histograms = judged.total(Fill(self.analysis), Hard())
        value = self.analysis.evaluation(histograms, judged.about, confirmed=True).believed
        return float(value), _slope(self.analysis, histograms, judged.about)

    def loss(self, judged: Judged) -> tuple[float, float, float]:
        """Return the objective with other values, by how much it is worse, and how well that is known.

        ``judged`` are the same events, judged by other values.
        """
        best, best_slope = self._optimum
        value, slope = self._evaluate(judged)
        variance = self.judged.total_beside(judged, VarianceOfDifference(self.analysis), (best_slope, slope))
        return value, best - value, math.sqrt(variance)

    def profile(self, name: str, optima: np.ndarray, points: int) -> CutProfile:
        """Return the profile of one number.

        ``optima`` are its optimum in each group of events, ``points`` the number of values over its range beside those
        around the optimum.
        """
        first = self.judged.parameters[0]
        optimum, width, (low, high) = float(np.median(optima)), width_of(first, name), first.ranges()[name]
        values = _grid(optimum, width, low, high, points)
        yields = {value: self.signal(self.moved(name, value)) for value in values.tolist()}
        for change in EFFICIENCIES:
            yields |= self._keeping(name, (1 + change) * yields[optimum], optimum, yields)
        values = np.array(sorted(yields))
        told = [self.loss(self.moved(name, value)) for value in values.tolist()]
        objective, loss, uncertainty = (np.array(column) for column in zip(*told, strict=True))
        spec = first.spec_of(name)
        spread = float(np.std(optima, ddof=1)) if len(optima) > 1 else 0.0
        signal = np.array([yields[value] for value in values.tolist()])
        return CutProfile(
            name, spec.unit, optimum, width, (low, high), values, objective, loss, uncertainty, signal, spread
        )

    def moved(self, name: str, value: float) -> Judged:
        """Return the events, judged with another value of one number."""
        return self.judged.changed(lambda parameters: with_number(parameters, name, value))

    def signal(self, judged: Judged) -> float:
        """Return the expected signal in all channels.

        ``judged`` are the same events, judged by other values.
        """
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
            if self.signal(self.moved(name, middle)) < wanted:
                below = middle
            else:
                above = middle
        return {above: self.signal(self.moved(name, above))}


def _grid(optimum: float, width: float, low: float, high: float, points: int) -> np.ndarray:
    """Return the values of a profile: over the range, around the optimum, and one beyond a bound that it is at."""
    near = optimum + width * np.array(NEARBY)
    inside = np.concatenate([np.linspace(low, high, points), near[(near >= low) & (near <= high)], [optimum]])
    margin = AT_BOUND * (high - low)
    outside = [low - width] if optimum - low < margin else [high + width] if high - optimum < margin else []
    return np.unique(np.concatenate([inside, outside]))


@functools.partial(jax.jit, static_argnames="analysis")
def _slope(analysis: Analysis, histograms: Templates, about: Dataset) -> Templates:
    """Return the derivative of the objective with respect to the histograms."""
    found: Templates = jax.grad(analysis.figure_of_merit)(histograms, about)
    return found
