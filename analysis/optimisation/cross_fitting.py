"""Cross-fitting: every event is judged by cuts that were found without it, and every event counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.table import Table

from ..analysis import Analysis
from ..data.folds import Folds
from ..data.pool import Pool, add_up
from ..parameters.parameters import Parameters
from ..printing import as_text
from ..selection.cut import Hard
from ..statistics.objectives import Merit
from ..systematics import Templates
from .loop import Watcher
from .programs.of_shards import Fill
from .result import Outcome, Result, compared, cuts_table, plain_table
from .search import Search


@dataclasses.dataclass(frozen=True)
class CrossFit:
    """One optimisation for each fold, and what they achieve together; prints itself.

    Attributes
    ----------
    results
        One for each fold: trained on all others, and judged on that one alone, scaled to the whole.
    start
        All events with the starting cuts, hard.
    optimum
        All events, hard, those of each fold with the cuts that never saw them: the sum of the folds' histograms is one
        set of templates with the statistics of the whole simulation.
    merit
        How the objective is told.
    """

    results: tuple[Result, ...]
    start: Outcome
    optimum: Outcome
    merit: Merit

    @property
    def parameters(self) -> tuple[Parameters, ...]:
        """The cut values of each fold; `fold_numbers` tells which are those of an event."""
        return tuple(result.optimum.parameters for result in self.results)

    @property
    def gain(self) -> float:
        """How many times better the optimum is than the start."""
        return self.merit.gain(self.start.objective, self.optimum.objective)

    @property
    def overtraining(self) -> float:
        """How many times better the folds do on events they trained on (their mean, hard) than together on the others.

        Above 1 is what was learned of fluctuations, and what a result on training events would have promised too much.
        """
        trained = float(np.mean([result.optimum.hard_train.objective for result in self.results]))
        return self.merit.gain(self.optimum.objective, trained)

    def tables(self) -> list[Table]:
        """Return the result as tables: figure of merit, and cut values with their spread."""
        return [self._merit_table(), self._cuts_table()]

    def _merit_table(self) -> Table:
        table = plain_table(f"{self.merit.title}, hard cuts", "events", right=("start", "optimised", "gain"))
        for number, result in enumerate(self.results, 1):
            for half in ("train", "held_out"):
                a, b = (getattr(p, f"hard_{half}").objective for p in (result.start, result.optimum))
                label = "trained on" if half == "train" else "unseen"
                table.add_row(f"fold {number}, {label}", *compared(self.merit, a, b))
        told = compared(self.merit, self.start.objective, self.optimum.objective)
        table.add_row("all, each unseen", *told, style="bold")
        return table

    def _cuts_table(self) -> Table:
        folds = {f"fold {number}": parameters for number, parameters in enumerate(self.parameters, 1)}
        return cuts_table({"start": self.results[0].start.parameters, **folds})

    def __str__(self) -> str:
        return as_text(*self.tables())


def cross_fit(
    analysis: Analysis,
    folds: Folds,
    *,
    parameters: Parameters,
    begin: Parameters | None = None,
    starts: Sequence[Parameters] = (),
    watchers: Sequence[Watcher] = (),
    **how: Any,
) -> CrossFit:
    """Optimise once for each fold, on the events of all others, and judge each event by the cuts that never saw it.

    The figure of merit is that of all simulated events, none of which had a part in choosing its own cuts, so that no
    half of them has to be held out. The folds are optimised one after the other with one compiled program. Where
    channels learn their edges, a bin of the sum is the bin of each fold with its edges.

    Parameters
    ----------
    analysis
        What is optimised.
    folds
        The events, from `hepgrad.analysis.folds`.
    parameters, begin, starts, watchers
        As for `optimize`, for every fold.
    **how
        The other arguments of `optimize` but ``save`` and ``resume``: ``optimizer``, ``steps``, ``check_every``, ...

    Returns
    -------
    CrossFit
        The folds, and the sum of what they select.

    Raises
    ------
    FloatingPointError, FitError, ValueError
        As `optimize`.

    Examples
    --------
    >>> import awkward as ak, numpy as np, optax
    >>> from hepgrad.analysis import Analysis, Channel, CountingModel, Parameter, Parameters, Regular, stage
    >>> from hepgrad.analysis import cross_fit, folds
    >>> @stage(reads=("met",))
    ... def select(events, cut):
    ...     return events.select(events.met > cut.met)
    >>> rng = np.random.default_rng(0)
    >>> met = {"signal": rng.normal(120, 20, 400), "other": rng.exponential(40, 400)}
    >>> samples = {name: ak.zip({"met": values}) for name, values in met.items()}
    >>> weights, numbers = {"signal": np.full(400, 0.1), "other": np.ones(400)}, dict.fromkeys(samples, np.arange(400))
    >>> analysis = Analysis([select], [Channel("sr", "met", Regular(1, 0, 1000))], CountingModel(["signal"], 0.1))
    >>> cuts = Parameters(met=Parameter(50.0, bounds=(0, 200), scale=20.0))
    >>> fitted = cross_fit(
    ...     analysis, folds(samples, weights, numbers=numbers, k=2), parameters=cuts,
    ...     optimizer=optax.adam(0.3), steps=10, check_every=5,
    ... )
    >>> len(fitted.parameters), fitted.gain > 1.5
    (2, True)
    """
    search = Search.of(analysis, parameters, **how)
    results: list[Result] = []
    steps_on = None
    for data in folds:
        steps_on = steps_on or search.steps_on(data.train)
        results.append(search.run(data, steps_on, begin=begin, starts=starts, watchers=watchers))
    whole, hard = Pool.of(folds.data), Hard()
    start = whole.total(Fill(analysis), parameters, hard)
    total: Templates = add_up(
        Pool.of(folds.alone(fold)).total(Fill(analysis), result.optimum.parameters, hard)
        for fold, result in enumerate(results)
    )
    return CrossFit(
        tuple(results),
        Outcome.of_histograms(analysis, start, whole, parameters, hard, where="the start, all events"),
        Outcome.of_histograms(
            analysis, total, whole, results[0].optimum.parameters, hard, where="the sum of the folds"
        ),
        analysis.merit,
    )
