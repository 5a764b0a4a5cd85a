"""The search without gradients that an optimisation has to beat: many points, the same hard objective."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import Literal

import numpy as np
from rich.table import Table

from hepgrad.analysis import Analysis, Hard, Parameters, Split
from hepgrad.analysis.optimize.pool import Pool
from hepgrad.analysis.printing import as_text
from hepgrad.analysis.statistics.objectives import Merit, merit

from .errors import InputError
from .proposals import PROPOSALS, Box


@dataclasses.dataclass(frozen=True)
class Scan:
    """What a scan found; prints itself.

    Attributes
    ----------
    method
        How points were chosen.
    points
        Cut values of every trial by name, in order; the start is the first.
    objectives
        Shape (trials,): the objective with hard cuts on the training events (larger is better).
    best
        The cut values of the best trial.
    train, held_out
        The objective of the start and of the best trial, on either half.
    seconds
        How long the trials took, without compilation.
    merit
        How the objective is told.
    """

    method: str
    points: tuple[dict[str, float], ...]
    objectives: np.ndarray
    best: Parameters
    train: tuple[float, float]
    held_out: tuple[float, float]
    seconds: float
    merit: Merit

    def table(self) -> Table:
        """Return the start beside the best trial."""
        table = Table(
            title=f"{self.merit.title}, {self.method} scan of {len(self.points)} points in {self.seconds:.3g} s"
        )
        for column in ("events", "start", "best trial"):
            table.add_column(column, justify="left" if column == "events" else "right")
        for name, values in (("train", self.train), ("held-out", self.held_out)):
            table.add_row(name, *(f"{self.merit.of(value):.4g}" for value in values))
        return table

    def __str__(self) -> str:
        return as_text(self.table())


def scan(
    analysis: Analysis,
    data: Split,
    parameters: Parameters,
    *,
    method: Literal["random", "grid", "optuna"] = "random",
    trials: int = 500,
    seed: int = 0,
) -> Scan:
    """Evaluate many points with hard cuts and take the best on the training events.

    Edges and network weights keep their values, as frozen parameters do.

    Parameters
    ----------
    analysis
        Stages, channels, model and objective.
    data
        The training events choose; the held-out ones tell what the choice is worth.
    parameters
        The start, which is the first trial, and the bounds.
    method
        ``"random"`` draws uniformly inside the bounds; ``"grid"`` takes as many values of each parameter as fit into
        the number of trials; ``"optuna"`` asks Optuna's tree-structured Parzen estimator, which learns from the
        earlier ones.
    trials
        How many points, at most; at least two.
    seed
        Of the points that are drawn.

    Raises
    ------
    InputError
        When nothing can be scanned, a grid needs more trials, or Optuna is not installed.

    Examples
    --------
    >>> import awkward as ak, numpy as np
    >>> from hepgrad.analysis import (
    ...     Analysis, Channel, CountingModel, Dataset, Parameter, Parameters, Regular, Split, stage
    ... )
    >>> from hepgrad.workflows.scan import scan
    >>> @stage(reads=("x",))
    ... def select(events, cut):
    ...     return events.select(events.x > cut.x)
    >>> x = {"signal": np.linspace(5, 10, 500), "background": np.linspace(0, 10, 500)}
    >>> weights = {"signal": np.full(500, 0.02), "background": np.full(500, 0.2)}
    >>> data = Dataset.from_awkward({name: ak.zip({"x": values}) for name, values in x.items()}, weights)
    >>> analysis = Analysis([select], [Channel("all", "x", Regular(1, 0, 10))], CountingModel(["signal"], 0.0))
    >>> found = scan(analysis, Split(data, data), Parameters(x=Parameter(2.0, bounds=(0, 9))), method="grid", trials=11)
    >>> found.best
    Parameters(x=5)
    """
    if method not in PROPOSALS:
        raise InputError(f"there is no method {method!r} of scanning; there are {', '.join(PROPOSALS)}")
    train, held_out = Pool.of(data.train), Pool.of(data.held_out)

    def objective(point: Parameters, pool: Pool = train) -> float:
        return float(analysis.figure_of_merit(pool.histograms(analysis, point, Hard()), pool.about))

    start = objective(parameters)
    began = time.monotonic()
    points, objectives = [parameters], [start]
    box = Box.around(parameters)
    proposal = PROPOSALS[method](box, trials - 1, seed)
    with contextlib.suppress(StopIteration):
        vector = next(proposal)
        while True:
            points.append(box.at(vector))
            objectives.append(objective(points[-1]))
            vector = proposal.send(objectives[-1])
    seconds = time.monotonic() - began
    best = points[int(np.argmax(objectives))]
    return Scan(
        method,
        tuple(point.numbers() for point in points),
        np.array(objectives),
        best,
        (start, max(objectives)),
        (objective(parameters, held_out), objective(best, held_out)),
        seconds,
        merit(analysis.objective),
    )
