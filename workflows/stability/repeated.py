"""The whole search again and again: which cuts are determined by the data, and which by chance."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from rich.table import Table

from hepgrad.analysis import Analysis, Dataset, Parameters, Split, draw_starts
from hepgrad.analysis.optimisation.programs.resampled import counted, resample
from hepgrad.analysis.optimisation.result import plain_table
from hepgrad.analysis.optimisation.search import Search
from hepgrad.analysis.printing import as_text
from hepgrad.analysis.statistics.objectives import Merit

from ..files.plain_json import json_numbers

# of the spread of values drawn anywhere in the range: below the first a cut is determined, above the second not
DETERMINED, BY_CHANCE = 1 / 3, 2 / 3
ARRAYS = ("bounds", "optimum", "values", "starts", "trained", "held_out")


@dataclasses.dataclass(frozen=True, eq=False)
class RepeatedSearch:
    """Repetitions of a search on replicas of its training events, from other starts; prints itself.

    Attributes
    ----------
    merit
        How the objective is told.
    names, units
        Of the cut values, elements of arrays as ``pt[0]``.
    bounds
        Shape (cuts, 2).
    optimum
        What the search itself found, shape (cuts,).
    values, starts
        Shape (repetitions, cuts): where each ended and where it began.
    trained, held_out
        Shape (repetitions,): the objective of each with hard cuts, on its own replica of the training events, and on
        the held-out events, which are the same for all; NaN where a fit did not converge.
    """

    merit: Merit
    names: tuple[str, ...]
    units: tuple[str, ...]
    bounds: np.ndarray
    optimum: np.ndarray
    values: np.ndarray
    starts: np.ndarray
    trained: np.ndarray
    held_out: np.ndarray

    @property
    def spread(self) -> np.ndarray:
        """The standard deviation of each cut over the repetitions."""
        return np.asarray(np.std(self.values, axis=0, ddof=1))

    @property
    def chance(self) -> np.ndarray:
        """The spread of each cut over that of values drawn anywhere within its bounds, a range over sqrt(12)."""
        low, high = self.bounds.T
        return np.asarray(self.spread / ((high - low) / math.sqrt(12)))

    def verdict(self, index: int) -> str:
        """Return in words whether the data determine a cut."""
        share = self.chance[index]
        return "by the data" if share < DETERMINED else "by chance" if share > BY_CHANCE else "in part"

    def tables(self) -> list[Table]:
        """Return the spread of every cut, and of the result."""
        right = ("optimum", "mean", "spread", "of chance's")
        cuts = plain_table(f"{len(self.values)} searches", "parameter", right=right, last=("determined", "unit"))
        for i, name in enumerate(self.names):
            mean = float(np.mean(self.values[:, i]))
            numbers = (f"{x:.4g}" for x in (self.optimum[i], mean))
            told = (f"{self.spread[i]:.2g}", f"{100 * self.chance[i]:.0f} %")
            cuts.add_row(name, *numbers, *told, self.verdict(i), self.units[i])
        figures = plain_table(f"{self.merit.title}, hard", "events", right=("mean", "spread", "lowest", "highest"))
        for name, objectives in (("trained on", self.trained), ("held-out", self.held_out)):
            told_ = np.vectorize(self.merit.of)(objectives)
            known = told_[np.isfinite(told_)]
            if len(known) > 1:
                row = (np.mean(known), np.std(known, ddof=1), known.min(), known.max())
                figures.add_row(name, *(f"{x:.4g}" for x in row))
        return [cuts, figures]

    def __str__(self) -> str:
        return as_text(*self.tables())

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; `from_dict` is the inverse."""
        arrays = {name: json_numbers(getattr(self, name)) for name in ARRAYS}
        return {"merit": dataclasses.asdict(self.merit), "names": self.names, "units": self.units, **arrays}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> RepeatedSearch:
        """Return what `to_dict` wrote down."""
        arrays = {key: np.array(told[key], float) for key in ARRAYS}
        return cls(merit=Merit(**told["merit"]), names=tuple(told["names"]), units=tuple(told["units"]), **arrays)


def repeat_search(
    analysis: Analysis,
    data: Split,
    optimum: Parameters,
    *,
    parameters: Parameters,
    repeats: int = 10,
    seed: int = 0,
    **how: Any,
) -> RepeatedSearch:
    """Search again on bootstrap replicas of the training events, each time from another start.

    Each event trains as often as a Poisson number of mean 1 says, which differs from repetition to repetition. They all
    use one compiled program, since how often an event counts is a column of the data.

    All repetitions are judged by the same held-out events. The first starts where ``parameters`` are, the others at
    points drawn within the bounds. Other arguments go to `hepgrad.analysis.optimize`, which may raise. Raises
    `ValueError` when there are fewer than two repetitions, or the events are in shards.

    Examples
    --------
    >>> import awkward as ak, numpy as np, optax
    >>> from hepgrad.analysis import Analysis, Channel, CountingModel, Dataset, Parameter, Parameters, Regular, Split
    >>> from hepgrad.analysis import stage
    >>> from hepgrad.workflows.stability.repeated import repeat_search
    >>> @stage(reads=("met",))
    ... def select(events, cut):
    ...     return events.select(events.met > cut.met)
    >>> rng = np.random.default_rng(0)
    >>> met = {"signal": rng.normal(120, 20, 400), "other": rng.exponential(40, 400)}
    >>> samples = {name: ak.zip({"met": values}) for name, values in met.items()}
    >>> data = Dataset.from_awkward(samples, {"signal": np.full(400, 0.1), "other": np.ones(400)})
    >>> analysis = Analysis([select], [Channel("sr", "met", Regular(1, 0, 1000))], CountingModel(["signal"], 0.1))
    >>> cuts = Parameters(met=Parameter(90.0, bounds=(50, 150)))
    >>> found = repeat_search(
    ...     analysis, Split(data, data), cuts, parameters=cuts, repeats=3, optimizer=optax.adam(0.3), steps=10
    ... )
    >>> found.values.shape, found.names
    ((3, 1), ('met',))
    """
    train, held_out = data.train, data.held_out
    if not (isinstance(train, Dataset) and isinstance(held_out, Dataset)):
        raise ValueError("repetitions of a search need the events in memory, not in shards")
    if repeats < 2:
        raise ValueError(f"the spread of a search needs at least two repetitions, got {repeats}")
    search = Search.of(analysis.insert(resample), parameters, **how)
    starts = (parameters, *draw_starts(parameters, repeats - 1, key=jax.random.key(seed)))
    judging = counted(held_out, np.ones(held_out.weight.shape))
    steps_on, results = None, []
    for number, start in enumerate(starts):
        times = np.random.default_rng([seed, number]).poisson(1.0, train.weight.shape)
        replica = counted(train, times)
        steps_on = steps_on or search.steps_on(replica)
        results.append(search.run(Split(replica, judging), steps_on, begin=start))
    names = [name for name in parameters.numbers() if not parameters.spec_of(name).frozen]

    def numbers(at: Parameters) -> list[float]:
        every = at.numbers()
        return [every[name] for name in names]

    return RepeatedSearch(
        analysis.merit,
        tuple(names),
        tuple(parameters.spec_of(name).unit for name in names),
        np.array([parameters.ranges()[name] for name in names]),
        np.array(numbers(optimum)),
        np.array([numbers(result.optimum.parameters) for result in results]),
        np.array([numbers(start) for start in starts]),
        np.array([result.optimum.hard_train.objective for result in results]),
        np.array([result.optimum.hard_held_out.objective for result in results]),
    )
