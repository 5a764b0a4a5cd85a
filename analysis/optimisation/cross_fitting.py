"""Cross-fitting: every event is judged by cuts that were found without it, and every event counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.table import Table

from ..analysis import Analysis
from ..data.folds import Folds
from ..data.judged import Judged
from ..data.split import Split
from ..parameters.parameter import Parameter
from ..parameters.parameters import Parameters
from ..printing import as_text
from ..selection.cut import Hard, Reading
from ..statistics.objectives import Merit
from .attempt import Attempt, best_of
from .checkpoint import Checkpoint
from .loop import Watcher
from .programs.of_shards import Count, Fill
from .result import CROSS_FITTED, Fold, Outcome, Point, Result, compared, cuts_table, plain_table
from .search import Search


@dataclasses.dataclass(frozen=True)
class CrossFit:
    """One optimisation for each fold, and what they achieve together; prints itself.

    Attributes
    ----------
    results
        One for each fold: trained on all others, and judged on that one alone, scaled to the whole.
    whole
        What they achieve together, told as a result is: its held-out events are all events, those of each fold with
        the cuts that never saw them.
    """

    results: tuple[Result, ...]
    whole: Result

    @property
    def start(self) -> Outcome:
        """All events with the starting cuts, hard."""
        return self.whole.start.hard_held_out

    @property
    def optimum(self) -> Outcome:
        """All events, hard, those of each fold with the cuts that never saw them.

        The sum of the folds' histograms is one set of templates with the statistics of the whole simulation.
        """
        return self.whole.optimum.hard_held_out

    @property
    def merit(self) -> Merit:
        """How the objective is told."""
        return self.whole.merit

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
        table = plain_table(
            f"{self.merit.title}, hard cuts; {CROSS_FITTED}", "events", right=("start", "optimised", "gain")
        )
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
    begin: Callable[[Split], Parameters | None] | None = None,
    starts: Sequence[Parameters] = (),
    watchers: Sequence[Watcher] = (),
    save: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
    shared: Sequence[str] = (),
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
    parameters, starts, watchers, save, resume
        As for `optimize`, for every fold.
    begin
        From the events of a fold to where its first descent begins; by default the parameters.
    shared
        Names of parameters that are the same in all folds, such as cuts that are published as one number beside
        networks that are trained for each fold. They are the mean of what the folds find (of choices and weights that
        of the fold closest to all others), and all other parameters are optimised a second time with these. Every event
        had a part in choosing them. Only the first time is saved, so that what is resumed repeats the second.
    **how
        The other arguments of `optimize`: ``optimizer``, ``steps``, ``check_every``, ...

    Returns
    -------
    CrossFit
        The folds, and the sum of what they select.

    Raises
    ------
    FloatingPointError, FitError, ValueError
        As `optimize`; a `ValueError` also when there is no free parameter of a shared name.

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
    if unknown := [name for name in shared if name not in parameters.free]:
        raise ValueError(f"there is no free parameter {unknown[0]!r} to share; there are {parameters.free}")
    search = Search.of(analysis, parameters, **how)
    results = _of_folds(search, folds, begin=begin, starts=starts, watchers=watchers, save=save, resume=resume)
    if shared:
        tied = _tied(parameters, [result.optimum.parameters for result in results], shared)
        if tied.free:

            def begin_tied(data: Split) -> Parameters | None:
                first = None if begin is None else begin(data)
                return None if first is None else _moved(tied, first)

            more = [_moved(tied, start) for start in starts]
            again = Search.of(analysis, tied, **how)
            results = _of_folds(again, folds, begin=begin_tied, starts=more, watchers=watchers)
        else:
            # nothing else moves: the ends of the descents are there
            steps_on = search.steps_on(next(iter(folds)).train)
            results = [
                search.run(data, steps_on, attempts=(_ending(result, tied, shared),))
                for data, result in zip(folds, results, strict=True)
            ]
    return CrossFit(
        tuple(results), _together(analysis, folds, parameters, results, search.plan.reading(search.plan.steps - 1))
    )


def _of_folds(
    search: Search,
    folds: Folds,
    *,
    begin: Callable[[Split], Parameters | None] | None,
    starts: Sequence[Parameters],
    watchers: Sequence[Watcher],
    save: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
) -> list[Result]:
    """Return the optimisation of each fold, one after the other with one compiled program; see `cross_fit`."""
    finished = () if resume is None else resume.folds
    results: list[Result] = []
    steps_on = None
    for fold, data in enumerate(folds):
        steps_on = steps_on or search.steps_on(data.train)
        done = tuple(result.attempts for result in results)

        def save_all(now: Checkpoint, done: Any = done) -> None:
            assert save is not None
            save(dataclasses.replace(now, folds=done))

        resumed = resume if fold == len(finished) else None
        results.append(
            search.run(
                data,
                steps_on,
                begin=None if begin is None or resumed or fold < len(finished) else begin(data),
                starts=starts,
                watchers=watchers,
                save=None if save is None else save_all,
                resume=resumed,
                attempts=finished[fold] if fold < len(finished) else (),
            )
        )
    return results


def _tied(parameters: Parameters, optima: Sequence[Parameters], shared: Sequence[str]) -> Parameters:
    """Return parameters of which the shared ones are frozen at what the folds found, in the mean."""
    middle = optima[middle_of(optima)]
    specs: dict[str, Any] = dict(parameters.specs)
    values = {name: parameters.stored(name) for name in parameters}
    for name in shared:
        specs[name] = dataclasses.replace(specs[name], frozen=True)
        found = [at.stored(name) for at in optima]
        is_number = isinstance(specs[name], Parameter)
        values[name] = np.mean(np.asarray(found, float), axis=0) if is_number else middle.stored(name)
    return Parameters(**specs).replace(**values)


def _moved(tied: Parameters, to: Parameters) -> Parameters:
    """Return parameters whose free values are those of other ones."""
    return tied.replace(**{name: to.stored(name) for name in tied.free})


def _ending(result: Result, tied: Parameters, shared: Sequence[str]) -> Attempt:
    """Return the best descent of a fold as if it had ended at the shared values."""
    best = best_of(result.attempts)
    return dataclasses.replace(best, best=best.best.replace(**{name: tied.stored(name) for name in shared}))


def _together(analysis: Analysis, folds: Folds, start: Parameters, results: Sequence[Result], soft: Reading) -> Result:
    """Return what the folds achieve together, as one result."""
    optima = [result.optimum.parameters for result in results]
    middle = results[middle_of(optima)]

    def unseen(judged: Judged, reading: Reading, where: str) -> Outcome:
        histograms = judged.total(Fill(analysis), reading)
        at = judged.parameters[0]
        return Outcome.of_histograms(analysis, histograms, judged.groups[0][0], at, reading, where=where)

    def trained(which: str, reading: Reading) -> Outcome:
        every = [getattr(result.optimum, which).histograms for result in results]
        mean = jax.tree.map(lambda *each: jnp.mean(jnp.stack(each), axis=0), *every)
        pool, at = Judged.of(folds, start).groups[0]
        return Outcome.of_histograms(analysis, mean, pool, at, reading, where="the mean of the folds")

    def point(judged: Judged, where: str, at: Parameters, train: Sequence[Outcome] = ()) -> Point:
        seen = [unseen(judged, reading, where) for reading in (soft, Hard())]
        soft_train, hard_train = train or seen
        flow = judged.total(Count(analysis), Hard())
        return Point(at, soft_train, seen[0], hard_train, seen[1], flow)

    before = point(Judged.of(folds, start), "the start, all events", start)
    means = trained("soft_train", soft), trained("hard_train", Hard())
    after = point(Judged.of(folds, *optima), "the sum of the folds", middle.optimum.parameters, means)
    return Result(before, after, middle.attempts, analysis.merit, tuple(map(Fold.of, results)))


def middle_of(points: Sequence[Parameters]) -> int:
    """Return which of several points is closest to all others: the one with the smallest sum of distances.

    Only numbers that are free count, in units of their scale.

    Examples
    --------
    >>> from hepgrad.analysis import Parameter, Parameters
    >>> from hepgrad.analysis.optimisation.cross_fitting import middle_of
    >>> middle_of([Parameters(met=Parameter(met, bounds=(0, 100))) for met in (20.0, 31.0, 90.0)])
    1
    """
    numbers = [name for name in points[0].free if isinstance(points[0].specs[name], Parameter)]
    if not numbers:
        return 0
    places = np.array([np.concatenate([np.ravel(at.scaled()[name]) for name in numbers]) for at in points])
    return int(np.argmin(np.abs(places[:, None] - places[None]).sum(axis=(1, 2))))
