"""What an optimisation found, told in the soft and in the hard reading, on training and on held-out events."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping

import numpy as np
from rich.console import Console
from rich.table import Table

from ..analysis import Analysis
from ..cut import Hard, Reading
from ..cutflow import Cutflow
from ..dataset import Dataset
from ..histogram import Counts
from ..parameters import Parameters


@dataclasses.dataclass(frozen=True)
class Record:
    """One step of an optimisation.

    Attributes
    ----------
    step
        From 0.
    objective
        In the soft reading on the training events, before the step's update.
    width
        The width factor of the soft cuts.
    hard
        The objective in the hard reading on the training events after the update; NaN where it was not evaluated.
    values
        The parameters before the update.
    """

    step: int
    objective: float
    width: float
    hard: float
    values: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """One point, in one reading, on one set of events.

    Attributes
    ----------
    objective
        The figure of merit.
    histograms
        By channel, of shape (processes, bins + 2).
    yields
        Expected selected events by process, under- and overflow included, in the first channel.
    """

    objective: float
    histograms: Mapping[str, Counts]
    yields: Mapping[str, float]

    @classmethod
    def of(cls, analysis: Analysis, data: Dataset, parameters: Parameters, reading: Reading) -> Evaluation:
        """Evaluate a point.

        Parameters
        ----------
        analysis
            Stages, channels and model.
        data
            The events.
        parameters
            The cut values.
        reading
            What a cut means.
        """
        histograms = analysis.histograms(data, parameters, reading)
        first = histograms[analysis.channels[0].name]
        yields = dict(zip(data.processes, np.asarray(first.sumw.sum(axis=-1), float).tolist(), strict=True))
        return cls(float(analysis.figure_of_merit(histograms, data)), histograms, yields)


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
    soft_train: Evaluation
    soft_held_out: Evaluation
    hard_train: Evaluation
    hard_held_out: Evaluation
    cutflow: Cutflow

    @classmethod
    def of(cls, analysis: Analysis, train: Dataset, held_out: Dataset, parameters: Parameters, soft: Reading) -> Point:
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
        """

        def evaluate(data: Dataset, reading: Reading) -> Evaluation:
            return Evaluation.of(analysis, data, parameters, reading)

        return cls(
            parameters,
            soft_train=evaluate(train, soft),
            soft_held_out=evaluate(held_out, soft),
            hard_train=evaluate(train, Hard()),
            hard_held_out=evaluate(held_out, Hard()),
            cutflow=analysis.cutflow(held_out, parameters),
        )


@dataclasses.dataclass(frozen=True)
class Result:
    """Start and optimum of an optimisation; prints itself.

    Attributes
    ----------
    start, optimum
        The two points.
    history
        One record a step.
    """

    start: Point
    optimum: Point
    history: tuple[Record, ...]

    @property
    def gain(self) -> float:
        """The optimum's objective over the start's, with hard cuts on events the optimiser never saw."""
        return self.optimum.hard_held_out.objective / self.start.hard_held_out.objective

    def tables(self) -> list[Table]:
        """Return the result as three tables: figure of merit, yields, and cut values."""
        merit = Table(title="Expected discovery significance", title_justify="left")
        for column in ("cuts", "events", "start", "optimised", "ratio"):
            merit.add_column(column, justify="left" if column in ("cuts", "events") else "right")
        for reading in ("soft", "hard"):
            for half in ("train", "held_out"):
                a, b = (getattr(p, f"{reading}_{half}").objective for p in (self.start, self.optimum))
                ratio = f"{b / a:.3f}" if a > 0 else "-"
                style = "bold" if (reading, half) == ("hard", "held_out") else None
                merit.add_row(reading, half.replace("_", "-"), f"{a:.3f}", f"{b:.3f}", ratio, style=style)

        yields = Table(title="Selected events, hard, held-out", title_justify="left")
        for column in ("process", "start", "optimised", "kept"):
            yields.add_column(column, justify="left" if column == "process" else "right")
        for name, before in self.start.hard_held_out.yields.items():
            after = self.optimum.hard_held_out.yields[name]
            yields.add_row(name, f"{before:.2f}", f"{after:.2f}", f"{after / before:.0%}" if before > 0 else "-")

        cuts = Table(title="Cut values", title_justify="left")
        for column in ("parameter", "start", "optimised", "bounds", "unit"):
            cuts.add_column(column, justify="left" if column in ("parameter", "unit") else "right")
        for name, spec in self.start.parameters.specs.items():
            a, b = (f"{float(p.parameters[name]):.4g}" for p in (self.start, self.optimum))
            cuts.add_row(name, a, b, f"{spec.bounds[0]:g} to {spec.bounds[1]:g}", spec.unit)
        return [merit, yields, cuts]

    def __str__(self) -> str:
        buffer = io.StringIO()
        console = Console(file=buffer, width=100)
        for table in self.tables():
            console.print(table)
        return buffer.getvalue()
