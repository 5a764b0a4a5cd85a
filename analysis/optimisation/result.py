"""What an optimisation found, told in the soft and in the hard reading, on training and on held-out events."""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
from collections.abc import Mapping

import numpy as np
from rich.table import Table

from ..analysis import Analysis
from ..data.pool import Pool
from ..histogram import Counts
from ..parameters.parameters import Parameters
from ..printing import as_html, as_text
from ..selection.cut import Hard, Reading
from ..selection.cutflow import Cutflow
from ..statistics.objectives import Merit
from ..systematics import Templates
from .attempt import Attempt, FitTally, StepRecord, best_of
from .goal import Goal
from .loop import not_finite
from .programs.of_shards import Count, Fill

ALL_CHANNELS = "sum of channels"
EVALUATIONS = ("soft_train", "soft_held_out", "hard_train", "hard_held_out")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One point, in one reading, on one set of events.

    Attributes
    ----------
    objective
        The figure of merit; NaN where a fit behind it did not converge.
    histograms
        By channel, of shape (processes, bins + 2).
    yields
        Expected selected events by process, under- and overflow included, in the first channel.
    converged
        Whether all fits behind the figure of merit converged.
    """

    objective: float
    histograms: Mapping[str, Counts]
    yields: Mapping[str, float]
    converged: bool = True

    @property
    def selected(self) -> dict[str, dict[str, float]]:
        """Expected selected events by channel and process; where there are several channels, also their sum.

        An event that is in two channels counts in both, and twice in the sum. Under- and overflow are included.
        """
        processes = list(self.yields)
        channels = {
            channel: dict(zip(processes, np.asarray(counts.sumw, float).sum(axis=-1).tolist(), strict=True))
            for channel, counts in self.histograms.items()
        }
        if len(channels) < 2:
            return channels
        total = {process: sum(each[process] for each in channels.values()) for process in processes}
        return {**channels, ALL_CHANNELS: total}

    @classmethod
    def of(
        cls, analysis: Analysis, pool: Pool, parameters: Parameters, reading: Reading, *, where: str = "the result"
    ) -> Outcome:
        """Evaluate a point.

        Parameters
        ----------
        analysis
            Stages, channels and model.
        pool
            The events.
        parameters
            The cut values.
        reading
            What a cut means.
        where
            How an error calls the point.

        Raises
        ------
        FloatingPointError
            When the figure of merit is not finite; names the cause.
        """
        histograms = pool.total(Fill(analysis), parameters, reading)
        return cls.of_histograms(analysis, histograms, pool, parameters, reading, where=where)

    @classmethod
    def of_histograms(
        cls,
        analysis: Analysis,
        histograms: Templates,
        pool: Pool,
        parameters: Parameters,
        reading: Reading,
        *,
        where: str,
    ) -> Outcome:
        """Evaluate histograms that are filled already; the rest is for errors and about the processes.

        Parameters
        ----------
        analysis, pool, parameters, reading, where
            As for `of`.
        histograms
            Filled from the pool.

        Raises
        ------
        FloatingPointError
            As `of`.
        """
        merit = analysis.evaluation(histograms, pool.about, confirmed=True)
        if not np.isfinite(merit.value):
            raise not_finite(where, float(merit.value), Goal(analysis), pool, parameters, reading)
        first = histograms[analysis.channels[0].name]
        yields = dict(zip(pool.about.processes, np.asarray(first.sumw.sum(axis=-1), float).tolist(), strict=True))
        return cls(float(merit.believed), histograms, yields, bool(merit.converged))


@dataclasses.dataclass(frozen=True)
class Point:
    """Cut values, and what they achieve.

    Attributes
    ----------
    parameters
        The values.
    soft_train, soft_held_out, hard_train, hard_held_out
        The four evaluations; the soft ones with the width of the last step.
    cutflow
        In the hard reading, on the held-out events.
    """

    parameters: Parameters
    soft_train: Outcome
    soft_held_out: Outcome
    hard_train: Outcome
    hard_held_out: Outcome
    cutflow: Cutflow

    @classmethod
    def of(
        cls,
        analysis: Analysis,
        train: Pool,
        held_out: Pool,
        parameters: Parameters,
        soft: Reading,
        *,
        where: str = "the result",
    ) -> Point:
        """Evaluate cut values in both readings on both halves.

        Parameters
        ----------
        analysis
            Stages, channels and model.
        train, held_out
            The two halves of the events.
        parameters
            The cut values.
        soft
            The soft reading.
        where
            How an error calls the point.
        """

        def evaluate(pool: Pool, reading: Reading) -> Outcome:
            return Outcome.of(analysis, pool, parameters, reading, where=where)

        return cls(
            parameters,
            soft_train=evaluate(train, soft),
            soft_held_out=evaluate(held_out, soft),
            hard_train=evaluate(train, Hard()),
            hard_held_out=evaluate(held_out, Hard()),
            cutflow=held_out.total(Count(analysis), parameters, Hard()),
        )


@dataclasses.dataclass(frozen=True)
class Fold:
    """One optimisation of a cross-fit, as its result tells it.

    Attributes
    ----------
    parameters
        The optimum, found on the events of all other folds.
    attempts
        One descent for each start.
    trained, unseen
        The objective of start and optimum with hard cuts: on the events of all other folds, and on those of this one,
        either scaled to the whole.
    """

    parameters: Parameters
    attempts: tuple[Attempt, ...]
    trained: tuple[float, float]
    unseen: tuple[float, float]

    @classmethod
    def of(cls, result: Result) -> Fold:
        """Return what is told of an optimisation.

        Parameters
        ----------
        result
            Whose held-out events are the fold.
        """
        points = (result.start, result.optimum)
        trained, unseen = (
            (a.objective, b.objective) for a, b in zip(*((p.hard_train, p.hard_held_out) for p in points), strict=True)
        )
        return cls(result.optimum.parameters, result.attempts, trained, unseen)


CROSS_FITTED = "cross-fitted, every event judged by cuts that never saw it"


@dataclasses.dataclass(frozen=True)
class Result:
    """Start and optimum of an optimisation; prints itself.

    Attributes
    ----------
    start, optimum
        The two points.
    attempts
        One descent for each start, in order; the optimum is the best of them.
    merit
        How the objective is told.
    folds
        Of a cross-fit, the optimisation of each fold. Histograms, yields and cutflow of the optimum are then those of
        all events, each with the cuts of its fold, its training side is the mean over the folds, and its parameters and
        the attempts are those of the fold whose cuts are closest to all others.
    """

    start: Point
    optimum: Point
    attempts: tuple[Attempt, ...]
    merit: Merit
    folds: tuple[Fold, ...] = ()

    @property
    def best(self) -> Attempt:
        """The descent that led to the optimum: the one with the largest goal on the events that choose."""
        return best_of(self.attempts)

    @property
    def history(self) -> tuple[StepRecord, ...]:
        """One record for each step of the descent that led to the optimum."""
        return self.best.history

    @property
    def fits(self) -> FitTally:
        """How many evaluations of the objective there were in all descents and at both points, and how many failed."""
        told = [getattr(point, which).converged for point in (self.start, self.optimum) for which in EVALUATIONS]
        attempts = [a for fold in self.folds for a in fold.attempts] if self.folds else self.attempts
        return functools.reduce(operator.add, (a.fits for a in attempts), FitTally(told.count(False), len(told)))

    @property
    def judging(self) -> tuple[Parameters, ...]:
        """The optimised values that events are judged by: those of each fold, or the optimum's alone."""
        return tuple(fold.parameters for fold in self.folds) or (self.optimum.parameters,)

    @property
    def unseen(self) -> str:
        """What held-out events are called in tables."""
        return "each unseen" if self.folds else "held-out"

    @property
    def gain(self) -> float:
        """How many times better the optimum is than the start, with hard cuts on events the optimiser never saw."""
        return self.merit.gain(self.start.hard_held_out.objective, self.optimum.hard_held_out.objective)

    def tables(self) -> list[Table]:
        """Return the result as tables: figure of merit, yields, cut values, and the descents if there are several."""
        several = [self._attempts_table()] if len(self.attempts) > 1 else []
        return [self._merit_table(), self._yields_table(), self._cuts_table(), *several]

    def _merit_table(self) -> Table:
        title = f"{self.merit.title}; {CROSS_FITTED}" if self.folds else self.merit.title
        table = plain_table(title, "cuts", "events", right=("start", "optimised", "gain"))
        if self.fits.failed:
            table.caption, table.caption_justify = f"{self.fits}; what rests on one is not told", "left"
        for reading in ("soft", "hard"):
            for half in ("train", "held_out"):
                a, b = (getattr(p, f"{reading}_{half}").objective for p in (self.start, self.optimum))
                style = "bold" if (reading, half) == ("hard", "held_out") else None
                events = self.unseen if half == "held_out" else "train, mean of folds" if self.folds else "train"
                table.add_row(reading, events, *compared(self.merit, a, b), style=style)
        for number, fold in enumerate(self.folds, 1):
            table.add_row("hard", f"fold {number}, trained on", *compared(self.merit, *fold.trained))
            table.add_row("hard", f"fold {number}, unseen", *compared(self.merit, *fold.unseen))
        return table

    def _yields_table(self) -> Table:
        columns = ("start", "optimised", "optimised / start")
        table = plain_table(f"Selected events, hard, {self.unseen}", "channel", "process", right=columns)
        start, optimum = (point.hard_held_out.selected for point in (self.start, self.optimum))
        for channel, before in start.items():
            for process, number in before.items():
                after = optimum[channel][process]
                ratio = f"{after / number:.3f} x" if number > 0 else "-"
                style = "bold" if channel == ALL_CHANNELS else None
                table.add_row(channel, process, f"{number:.2f}", f"{after:.2f}", ratio, style=style)
        return table

    def _cuts_table(self) -> Table:
        if not self.folds:
            return cuts_table({"start": self.start.parameters, "optimised": self.optimum.parameters})
        folds = {f"fold {number}": fold.parameters for number, fold in enumerate(self.folds, 1)}
        return cuts_table({"start": self.start.parameters, **folds})

    def _attempts_table(self) -> Table:
        columns = ("steps", "best after", self.merit.short)
        table = plain_table("Descents, hard, on the events that choose", "start", right=columns)
        for number, attempt in enumerate(self.attempts, 1):
            steps = (str(len(attempt.history)), str(attempt.best_step))
            style = "bold" if attempt is self.best else None
            value = attempt.best_value if math.isfinite(attempt.best_value) else math.nan
            table.add_row(str(number), *steps, self.merit.text(value, ".3f"), style=style)
        return table

    def __str__(self) -> str:
        return as_text(*self.tables())

    def __repr__(self) -> str:
        before, after = (self.merit.text(p.hard_held_out.objective, ".3g") for p in (self.start, self.optimum))
        return f"Result({self.merit.title}: {before} to {after}, hard cuts on {self.unseen} events)"

    def _repr_html_(self) -> str:
        return as_html(*self.tables())


def compared(merit: Merit, before: float, after: float) -> tuple[str, str, str]:
    """Return two values of an objective and the gain, as tables tell them.

    NaN is where a fit did not converge.
    """
    gain = merit.gain(before, after)
    better = "-" if math.isnan(gain) else f"{gain:.3f} x"
    return merit.text(before, ".3f"), merit.text(after, ".3f"), better


def cuts_table(points: Mapping[str, Parameters]) -> Table:
    """Return the values of the same parameters at several points, by the title of their column, side by side."""
    table = plain_table("Cut values", "parameter", right=(*points, "bounds"), last=("unit",))
    for name, spec in next(iter(points.values())).specs.items():
        values = (spec.text(parameters[name]) for parameters in points.values())
        table.add_row(name, *values, spec.limits, spec.unit)
    return table


def plain_table(title: str, *left: str, right: tuple[str, ...], last: tuple[str, ...] = ()) -> Table:
    """Return an empty table.

    Columns are in this order; those of ``right`` hold numbers.
    """
    table = Table(title=title, title_justify="left")
    for column in (*left, *right, *last):
        table.add_column(column, justify="right" if column in right else "left")
    return table
