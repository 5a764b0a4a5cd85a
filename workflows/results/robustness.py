"""How much an optimum depends on each cut: profiles, regions that the events cannot tell apart, and round values."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from rich.table import Table

from hepgrad.analysis import Analysis, Hard, Parameter, Parameters
from hepgrad.analysis.data.pool import Pool
from hepgrad.analysis.data.split import Part
from hepgrad.analysis.optimisation.programs.of_shards import Fill
from hepgrad.analysis.optimisation.result import plain_table
from hepgrad.analysis.printing import as_text
from hepgrad.analysis.statistics.objectives import Merit

from .bootstrap import bootstrap

# beside the optimum, in widths of the soft cut
NEARBY = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
# of the range: closer to a bound than this is at the bound
AT_BOUND = 1e-3


@dataclasses.dataclass(frozen=True, eq=False)
class CutProfile:
    """The objective against the value of one cut, the others at their optimum; hard cuts.

    Attributes
    ----------
    name, unit
        Of the parameter, elements of arrays as ``pt[0]``.
    optimum
        The value of which the others are compared.
    width
        Of its soft cut.
    bounds
        Lowest and highest allowed value.
    values
        In order; the optimum is one of them, and where it is at a bound one value lies beyond.
    objective
        For each value; NaN where a fit did not converge.
    loss, loss_uncertainty
        By how much the objective is worse than at the optimum (negative: better), and the spread of that difference
        over replicas of the events, in which both values see the same events.
    """

    name: str
    unit: str
    optimum: float
    width: float
    bounds: tuple[float, float]
    values: np.ndarray
    objective: np.ndarray
    loss: np.ndarray
    loss_uncertainty: np.ndarray

    @property
    def flat(self) -> tuple[float, float]:
        """The values around the optimum, inside the bounds, at which the loss is within its uncertainty."""
        inside = (self.values >= self.bounds[0]) & (self.values <= self.bounds[1])
        same = inside & (self.loss <= self.loss_uncertainty)
        here = int(np.argmin(np.abs(self.values - self.optimum)))
        first, last = here, here
        while first > 0 and same[first - 1]:
            first -= 1
        while last < len(same) - 1 and same[last + 1]:
            last += 1
        return float(self.values[first]), float(self.values[last])

    @property
    def rounded(self) -> float:
        """The roundest value of the flat region."""
        return roundest(*self.flat, self.optimum)

    @property
    def bound(self) -> str:
        """``"lower"`` or ``"upper"`` where the optimum is at a bound, else nothing."""
        low, high = self.bounds
        margin = AT_BOUND * (high - low)
        return "lower" if self.optimum - low < margin else "upper" if high - self.optimum < margin else ""

    @property
    def beyond(self) -> tuple[float, float, float] | None:
        """What a wider bound would do: the value beyond it, its loss and its uncertainty; None unless at a bound."""
        outside = np.flatnonzero((self.values < self.bounds[0]) | (self.values > self.bounds[1]))
        if not len(outside):
            return None
        at = int(outside[0])
        return float(self.values[at]), float(self.loss[at]), float(self.loss_uncertainty[at])

    def shifted(self, widths: float) -> tuple[float, float]:
        """Return loss and uncertainty of a cut that is moved by so many widths of its soft cut; NaN out of bounds.

        ``widths`` is one of `NEARBY`.
        """
        at = np.flatnonzero(np.isclose(self.values, self.optimum + widths * self.width, rtol=1e-6, atol=0))
        return (float(self.loss[at[0]]), float(self.loss_uncertainty[at[0]])) if len(at) else (math.nan, math.nan)


@dataclasses.dataclass(frozen=True, eq=False)
class Robustness:
    """Profiles of all cuts, and the optimum with rounded cuts; prints itself.

    Attributes
    ----------
    merit
        How the objective is told.
    objective
        At the optimum.
    profiles
        Of each free cut.
    rounded
        The parameters with every cut at the roundest value of its flat region.
    rounded_objective
        With these cuts together, evaluated again with hard cuts: regions that are flat one by one need not be together.
    rounded_loss, rounded_loss_uncertainty
        As in `CutProfile`.
    """

    merit: Merit
    objective: float
    profiles: tuple[CutProfile, ...]
    rounded: Parameters
    rounded_objective: float
    rounded_loss: float
    rounded_loss_uncertainty: float

    @property
    def is_as_good(self) -> bool:
        """Whether the rounded cuts together are as good as the optimum within the uncertainty of the difference."""
        return self.rounded_loss <= self.rounded_loss_uncertainty

    def tables(self) -> list[Table]:
        """Return tables: the profiles, the rounded cuts together, and the cuts at a bound if there are any."""
        right = ("optimum", "rounded", "flat from", "to", "1 width lower", "1 width higher")
        table = plain_table("Loss when one cut moves, hard", "parameter", right=right, last=("unit",))
        for p in self.profiles:
            values = (f"{v:.4g}" for v in (p.optimum, p.rounded, *p.flat))
            table.add_row(p.name, *values, *(_loss(*p.shifted(side)) for side in (-1.0, 1.0)), p.unit)
        together = plain_table(f"{self.merit.title}, hard", "cuts", right=("value", "loss"))
        together.add_row("optimum", self.merit.text(self.objective, ".3f"), "-")
        rounded = self.merit.text(self.rounded_objective, ".3f")
        together.add_row("all rounded", rounded, _loss(self.rounded_loss, self.rounded_loss_uncertainty))
        bounds = plain_table("Cuts at a bound", "parameter", "bound", right=("beyond it", "loss there"))
        for p in self.profiles:
            if p.beyond is not None:
                value, *loss = p.beyond
                bounds.add_row(p.name, p.bound, f"{value:.4g}", _loss(*loss))
        return [table, together, *([bounds] if bounds.rows else [])]

    def __str__(self) -> str:
        return as_text(*self.tables())


def robustness(
    analysis: Analysis,
    sample: Part,
    parameters: Parameters,
    *,
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
        Events that the optimisation did not see: ``data.held_out``.
    parameters
        The optimum: ``result.optimum.parameters``.
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
    numbers = {k: x for k, x in parameters.numbers().items() if _is_free_number(parameters, k)}
    if not numbers:
        raise ValueError(f"none of the parameters {list(parameters)} is a free number, whose value could be moved")

    pool = Pool.of(sample)

    def evaluate(at: Parameters) -> tuple[float, np.ndarray]:
        value = analysis.evaluation(pool.total(Fill(analysis), at, Hard()), pool.about, confirmed=True).believed
        return float(value), bootstrap(analysis, pool, at, replicas=replicas, seed=seed)

    best, best_replicas = evaluate(parameters)

    def loss(at: Parameters) -> tuple[float, float, float]:
        value, replicated = evaluate(at)
        difference = (best_replicas - replicated)[np.isfinite(best_replicas - replicated)]
        return value, best - value, float(np.std(difference, ddof=1)) if len(difference) > 1 else math.nan

    profiles = []
    for name, optimum in numbers.items():
        spec, width = parameters.specs[name.partition("[")[0]], _width(parameters, name)
        low, high = parameters.ranges()[name]
        values = _grid(optimum, width, low, high, points)
        told = [
            (best, 0.0, 0.0) if value == optimum else loss(with_number(parameters, name, value)) for value in values
        ]
        columns = (np.array(column) for column in zip(*told, strict=True))
        profiles.append(CutProfile(name, spec.unit, optimum, width, (low, high), values, *columns))
    rounded = parameters
    for profile in profiles:
        rounded = with_number(rounded, profile.name, profile.rounded)
    return Robustness(analysis.merit, best, tuple(profiles), rounded, *loss(rounded))


def roundest(low: float, high: float, near: float) -> float:
    """Return the number with the fewest digits in a region: a multiple of a power of ten, or of half of one.

    The region holds ``near``; of several equally round numbers the closest to it is taken.

    Examples
    --------
    >>> from hepgrad.workflows.results.robustness import roundest
    >>> roundest(52.1, 57.9, 54.73), roundest(0.271, 0.279, 0.2771), roundest(-0.4, 3.0, 1.7)
    (55.0, 0.275, 0.0)
    """
    if not high > low:
        return near
    exponent = math.ceil(math.log10(max(abs(low), abs(high)))) + 1
    while True:
        # as integers: a step is written as a power of ten, whose multiples decimals have exactly
        for factor in (10, 5):
            step = factor * 10.0 ** (exponent - 1)
            first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
            if first <= last:
                multiple = min(max(round(near / step), first), last)
                return float(f"{multiple * step:.12g}")
        exponent -= 1


def with_number(parameters: Parameters, name: str, value: float) -> Parameters:
    """Return parameters with another value of one free number, which may lie beyond its bounds.

    Names are as in `Parameters.numbers`, such as ``"met"`` or ``"pt[0]"``; the value is in the parameter's unit.
    """
    key, _, index = name.partition("[")
    new: Any = value
    if index:
        array = np.array(parameters.stored(key), float)
        array[_place(index)] = value
        new = array
    return parameters.with_free({**{k: parameters[k] for k in parameters.free}, key: new})


def _place(index: str) -> tuple[int, ...]:
    return tuple(int(i) for i in index.rstrip("]").replace("][", ",").split(","))


def _is_free_number(parameters: Parameters, name: str) -> bool:
    spec = parameters.specs[name.partition("[")[0]]
    return isinstance(spec, Parameter) and not spec.frozen


def _width(parameters: Parameters, name: str) -> float:
    """Return the width of the soft cut of a number."""
    key, _, index = name.partition("[")
    spec = parameters.specs[key]
    assert isinstance(spec, Parameter)
    widths = np.broadcast_to(np.asarray(spec.width, float), spec.shape)
    return float(widths[_place(index)] if index else widths)


def _grid(optimum: float, width: float, low: float, high: float, points: int) -> np.ndarray:
    """Return the values of a profile: over the range, around the optimum, and one beyond a bound that it is at."""
    near = optimum + width * np.array(NEARBY)
    inside = np.concatenate([np.linspace(low, high, points), near[(near >= low) & (near <= high)], [optimum]])
    margin = AT_BOUND * (high - low)
    outside = [low - width] if optimum - low < margin else [high + width] if high - optimum < margin else []
    return np.unique(np.concatenate([inside, outside]))


def _loss(value: float, uncertainty: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f} +- {uncertainty:.3f}"
