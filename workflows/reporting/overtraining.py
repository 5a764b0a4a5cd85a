"""Training against held-out events: whether the cuts were tuned to events instead of to what events look like."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jax.scipy.special import gammaincc
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from hepgrad.analysis import Channel, Counts, Outcome, Point, Result

from .style import OPTIMUM_COLOR, SOFT_COLOR, label_axes, new_figure, whole_numbers
from .subject import Subject

# fewer effective events than this are no Gaussian number
FEWEST = 10.0
TOO_FEW = "too few events"
POINTS = {"start": "starting cuts", "optimum": "optimised cuts"}


@dataclasses.dataclass(frozen=True)
class Distribution:
    """A histogram of weighted events.

    Both sums, of the weights and of their squares, have shape (bins,).
    """

    sumw: np.ndarray
    sumw2: np.ndarray

    @property
    def is_drawable(self) -> bool:
        """Whether there is something to normalise."""
        return float(self.sumw.sum()) > 0

    @property
    def shares(self) -> np.ndarray:
        """The part of all events in each bin."""
        return np.asarray(self.sumw / self.sumw.sum())

    @property
    def variances(self) -> np.ndarray:
        """Of the shares, from the number of simulated events."""
        return np.asarray(self.sumw2 / self.sumw.sum() ** 2)

    def merged(self, firsts: Sequence[int]) -> Distribution:
        """Return the histogram with wider bins.

        ``firsts`` are the first bin of each that is merged.
        """
        return Distribution(np.add.reduceat(self.sumw, firsts), np.add.reduceat(self.sumw2, firsts))

    @property
    def effective(self) -> np.ndarray:
        """As many events of equal weight would be as well known."""
        return np.divide(self.sumw**2, self.sumw2, out=np.zeros_like(self.sumw), where=self.sumw2 > 0)


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How well two histograms agree in shape.

    Attributes
    ----------
    chi2
        The sum over the bins of the squared difference of the shares, over its variance.
    degrees
        Of freedom: one fewer than there are bins.
    merged
        How many bins of the histograms were merged into these; 0 when none was.
    """

    chi2: float
    degrees: int
    merged: int = 0

    @property
    def p_value(self) -> float:
        """The probability of a larger chi2 where both are drawn from one distribution."""
        return float(gammaincc(self.degrees / 2, self.chi2 / 2))

    def __str__(self) -> str:
        if not self.degrees:
            return TOO_FEW
        told = rf"$\chi^2$/ndf = {self.chi2:.1f}/{self.degrees}, p = {self.p_value:.2f}"
        return f"{told} ({self.bins})" if self.merged else told

    @property
    def bins(self) -> str:
        """How many bins were compared."""
        return f"{self.merged} bins merged into {self.degrees + 1}" if self.merged else str(self.degrees + 1)


def agreement(first: Distribution, second: Distribution) -> Agreement:
    r"""Compare the shapes of two independent histograms of weighted events.

    With :math:`w` the content of a bin, :math:`s^2` its variance and :math:`W` the sum over the bins,

    .. math:: \chi^2 = \sum_i \frac{(w_{1i} / W_1 - w_{2i} / W_2)^2}{s_{1i}^2 / W_1^2 + s_{2i}^2 / W_2^2},

    with one degree of freedom fewer than bins (N. Gagunashvili, arXiv:physics/0605123). Neighbouring bins are merged
    until each holds ten effective events of both. Both have the same bins.

    Examples
    --------
    >>> import numpy as np
    >>> from hepgrad.workflows.reporting.overtraining import Distribution, agreement
    >>> even = Distribution(np.array([50.0, 50.0]), np.array([50.0, 50.0]))
    >>> odd = Distribution(np.array([60.0, 40.0]), np.ones(2))
    >>> found = agreement(even, odd)
    >>> print(f"{found.chi2:.2f} {found.degrees} {found.p_value:.2f}")
    3.92 1 0.05
    """
    bins = len(first.sumw)
    firsts = _wide_enough(np.minimum(first.effective, second.effective))
    first, second = first.merged(firsts), second.merged(firsts)
    variance = first.variances + second.variances
    squares = (first.shares - second.shares) ** 2
    known = variance > 0
    merged = bins if len(firsts) < bins else 0
    return Agreement(float(np.sum(squares[known] / variance[known])), len(firsts) - 1, merged)


def _wide_enough(effective: np.ndarray) -> list[int]:
    """Return the first bins of groups that hold enough events; what is left at the end goes to the last group."""
    firsts, filled = [0], 0.0
    for place, events in enumerate(effective):
        if filled >= FEWEST:
            firsts.append(place)
            filled = 0.0
        filled += float(events)
    return firsts[:-1] if filled < FEWEST and len(firsts) > 1 else firsts


def shapes(evaluation: Outcome, channel: Channel, subject: Subject) -> dict[str, Distribution]:
    """Return signal and background of a channel."""
    counts: Counts = channel.axis.select(evaluation.histograms[channel.name])
    sumw, sumw2 = (np.asarray(part, float) for part in (counts.sumw, counts.sumw2))
    names = list(evaluation.yields)
    told = {}
    for title, is_signal in (("signal", True), ("background", False)):
        rows = [names.index(process.name) for process in subject.prediction if process.signal == is_signal]
        told[title] = Distribution(sumw[rows].sum(axis=0), sumw2[rows].sum(axis=0))
    return told


def overtraining_table(result: Result, subject: Subject) -> Table:
    """Return how well training and held-out events agree in shape, with hard cuts."""
    table = Table(title="Training against held-out events, hard cuts, shapes")
    for column in ("channel", "cuts", "events"):
        table.add_column(column)
    for column in ("chi2 / ndf", "p-value", "bins compared"):
        table.add_column(column, justify="right")
    for channel in subject.channels:
        for name, title in POINTS.items():
            point: Point = getattr(result, name)
            train, held_out = (shapes(e, channel, subject) for e in (point.hard_train, point.hard_held_out))
            for part, shape in train.items():
                if shape.is_drawable and held_out[part].is_drawable:
                    found = agreement(shape, held_out[part])
                    told = (
                        (f"{found.chi2:.1f} / {found.degrees}", f"{found.p_value:.2f}", found.bins)
                        if found.degrees
                        else (TOO_FEW,)
                    )
                    table.add_row(channel.name, title, part, *told)
    return table


def overtraining_numbers(result: Result, subject: Subject, channel: Channel) -> Iterator[tuple[Any, ...]]:
    """Yield what `plot_overtraining` draws, the titles of the columns first."""
    yield "cuts", "events", "part", "low", "high", "share", "uncertainty"
    for name in POINTS:
        point: Point = getattr(result, name)
        edges = channel.axis_at(point.parameters).edges.tolist()
        for half, evaluation in (("training", point.hard_train), ("held-out", point.hard_held_out)):
            for part, shape in shapes(evaluation, channel, subject).items():
                if shape.is_drawable:
                    columns = (edges[:-1], edges[1:], shape.shares.tolist(), np.sqrt(shape.variances).tolist())
                    yield from ((name, half, part, *numbers) for numbers in zip(*columns, strict=True))


def plot_overtraining(result: Result, subject: Subject, channel: Channel) -> Figure:
    """Draw the shapes of signal and background on training events (filled) and on held-out events (points)."""
    figure = new_figure(11, 4.6)
    grid = figure.subplots(1, 2, sharey=True)
    highest = 0.0
    for axes, (name, title) in zip(grid, POINTS.items(), strict=True):
        point: Point = getattr(result, name)
        edges = channel.axis_at(point.parameters).edges
        train, held_out = (shapes(e, channel, subject) for e in (point.hard_train, point.hard_held_out))
        for part, color in (("signal", OPTIMUM_COLOR), ("background", SOFT_COLOR)):
            if train[part].is_drawable and held_out[part].is_drawable:
                _draw(axes, train[part], held_out[part], edges, color, part)
                highest = max(highest, float(train[part].shares.max()), float(held_out[part].shares.max()))
        label_axes(axes, subject)
        axes.text(0.04, 0.95, title, fontweight="bold", transform=axes.transAxes, va="top")
        axes.set_xlabel(channel.axis.title or channel.observable, loc="right")
        whole_numbers(axes, edges)
        axes.set_xlim(edges[0], edges[-1])
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="upper left", bbox_to_anchor=(0.02, 0.91), fontsize=9)
    grid[0].set_ylabel("share of events / bin", loc="top")
    lines = max(sum(1 + label.count("\n") for label in axes.get_legend_handles_labels()[1]) for axes in grid)
    # room above the histograms for the title, and the lines of the legend
    grid[0].set_ylim(0, (highest or 1.0) / (0.82 - 0.062 * lines))
    return figure


def _draw(axes: Axes, train: Distribution, held_out: Distribution, edges: np.ndarray, color: str, part: str) -> None:
    axes.stairs(train.shares, edges, fill=True, color=color, alpha=0.3, lw=0, label=f"{part}, training")
    axes.stairs(train.shares, edges, color=color, lw=1.2, baseline=None)
    low, high = (train.shares + sign * np.sqrt(train.variances) for sign in (-1, 1))
    low, high = (np.append(side, side[-1]) for side in (np.maximum(low, 0), high))
    axes.fill_between(edges, low, high, step="post", facecolor="none", edgecolor=color, hatch="/////", lw=0, alpha=0.6)
    spread = np.sqrt(held_out.variances)
    centres = (edges[1:] + edges[:-1]) / 2
    # what was merged on a line of its own, so that the legend is no wider than its panel
    label = f"{part}, held-out: {agreement(train, held_out)}".replace(" (", "\n(")
    axes.errorbar(centres, held_out.shares, yerr=spread, fmt="o", ms=4, color=color, elinewidth=1.1, label=label)
