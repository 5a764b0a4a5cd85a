"""The search without gradients that an optimisation has to beat: many points, the same hard objective."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from rich.table import Table

from hepgrad.analysis import Analysis, FitError, Hard, Parameters, Split
from hepgrad.analysis.data.pool import Pool
from hepgrad.analysis.optimisation import FitTally
from hepgrad.analysis.optimisation.programs.of_shards import Fill
from hepgrad.analysis.printing import as_text
from hepgrad.analysis.statistics.objectives import Merit

from ..errors import InputError
from ..settings.ranges import RANGES, Range
from .proposals import PROPOSALS, Box, Space

Method: TypeAlias = Literal["random", "grid", "optuna"]


@dataclasses.dataclass(frozen=True)
class Contest:
    """What a search competes in.

    Attributes
    ----------
    start
        The first point.
    space
        Where others are looked for.
    train, held_out
        The objective of a point with hard cuts (larger is better), on either half of the events; NaN where it has none,
        because a fit did not converge or it is not finite.
    merit
        How the objective is told.
    """

    start: Any
    space: Space
    train: Callable[[Any], float]
    held_out: Callable[[Any], float]
    merit: Merit


@dataclasses.dataclass(frozen=True)
class CutScan:
    """What a scan found; prints itself.

    Attributes
    ----------
    method
        How points were chosen.
    points
        Cut values of every trial by name, in order; the start is the first. Weights of networks are not among them.
    objectives
        Shape (trials,): the objective with hard cuts on the training events (larger is better); NaN where it has none,
        because a fit did not converge or it is not finite.
    best
        The point of the best trial that has one.
    train, held_out
        The objective of the start and of the best trial, on either half; NaN where it has none.
    seconds
        How long the trials took, without compilation.
    merit
        How the objective is told.
    """

    method: str
    points: tuple[Mapping[str, float], ...]
    objectives: np.ndarray
    best: Any
    train: tuple[float, float]
    held_out: tuple[float, float]
    seconds: float
    merit: Merit

    @property
    def fits(self) -> FitTally:
        """The trials, and how many of them have no objective."""
        return FitTally(int(np.isnan(self.objectives).sum()), len(self.objectives))

    def table(self) -> Table:
        """Return the start beside the best trial."""
        table = Table(
            title=f"{self.merit.title}, {self.method} scan of {len(self.points)} points in {self.seconds:.3g} s"
        )
        for column in ("events", "start", "best trial"):
            table.add_column(column, justify="left" if column == "events" else "right")
        for name, values in (("train", self.train), ("held-out", self.held_out)):
            table.add_row(name, *(self.merit.text(value, ".4g") for value in values))
        if self.fits.failed:
            table.caption, table.caption_justify = str(self.fits), "left"
        return table

    def __str__(self) -> str:
        return as_text(self.table())


def search_cuts(
    analysis: Analysis,
    data: Split,
    parameters: Parameters,
    *,
    method: Method = "random",
    trials: int = 500,
    seed: int = 0,
    also: Sequence[str] = (),
) -> CutScan:
    """Evaluate many points with hard cuts and take the best on the training events.

    The training events choose; the held-out ones tell what the choice is worth. The start is the first trial, of at
    least two. ``"random"`` draws uniformly inside the bounds; ``"grid"`` takes as many values of each parameter as fit
    into the number of trials; ``"optuna"`` asks Optuna's tree-structured Parzen estimator, which learns from the
    earlier ones. ``also`` are names of edges and weights that are scanned too (`Box.around`); others keep their values,
    as frozen parameters do. Raises `InputError` when nothing can be scanned, a grid needs more trials, or Optuna is not
    installed, `FitError` when no point has an objective on the training events, because no fit converged.

    Examples
    --------
    >>> import awkward as ak, numpy as np
    >>> from hepgrad.analysis import (
    ...     Analysis, Channel, CountingModel, Dataset, Parameter, Parameters, Regular, Split, stage
    ... )
    >>> from hepgrad.workflows.scanning.search import search_cuts
    >>> @stage(reads=("x",))
    ... def select(events, cut):
    ...     return events.select(events.x > cut.x)
    >>> x = {"signal": np.linspace(5, 10, 500), "background": np.linspace(0, 10, 500)}
    >>> weights = {"signal": np.full(500, 0.02), "background": np.full(500, 0.2)}
    >>> data = Dataset.from_awkward({name: ak.zip({"x": values}) for name, values in x.items()}, weights)
    >>> analysis = Analysis([select], [Channel("all", "x", Regular(1, 0, 10))], CountingModel(["signal"], 0.0))
    >>> cuts = Parameters(x=Parameter(2.0, bounds=(0, 9)))
    >>> found = search_cuts(analysis, Split(data, data), cuts, method="grid", trials=11)
    >>> found.best
    Parameters(x=5)
    """
    train, held_out = (_hard_objective(analysis, Pool.of(sample)) for sample in (data.train, data.held_out))
    contest = Contest(parameters, Box.around(parameters, also), train, held_out, analysis.merit)
    return search(contest, method=method, trials=trials, seed=seed)


def search(contest: Contest, *, method: Method = "random", trials: int = 500, seed: int = 0) -> CutScan:
    """Evaluate many points and take the best on the training events.

    Arguments and errors are as for `search_cuts`.
    """
    if method not in PROPOSALS:
        raise InputError(f"there is no method {method!r} of scanning; there are {', '.join(PROPOSALS)}")
    Range(1, whole=True).check(trials, "the number of trials")
    RANGES["seed"].check(seed, "seed")

    def objective_of(point: Any) -> float:
        objective = contest.train(point)
        return objective if math.isfinite(objective) else math.nan

    start = objective_of(contest.start)
    began = time.monotonic()
    best, highest = contest.start, -math.inf if math.isnan(start) else start
    points, objectives = [contest.space.numbers(contest.start)], [start]
    proposal = PROPOSALS[method](contest.space, trials - 1, seed)
    with contextlib.suppress(StopIteration):
        vector = next(proposal)
        while True:
            point = contest.space.at(vector)
            objective = objective_of(point)
            if objective > highest:
                best, highest = point, objective
            points.append(contest.space.numbers(point))
            objectives.append(objective)
            vector = proposal.send(objective)
    seconds = time.monotonic() - began
    if not math.isfinite(highest):
        told = f"none of {len(objectives)} points has a {contest.merit.short}"
        raise FitError(f"{told}: no fit converged, or no value is finite; `hepgrad check` may tell why")
    held_out = contest.held_out(contest.start), contest.held_out(best)
    train = start, highest
    return CutScan(method, tuple(points), np.array(objectives), best, train, held_out, seconds, contest.merit)


def _hard_objective(analysis: Analysis, pool: Pool) -> Callable[[Parameters], float]:
    def objective(point: Parameters) -> float:
        histograms = pool.total(Fill(analysis), point, Hard())
        return float(analysis.evaluation(histograms, pool.about, confirmed=True).believed)

    return objective
