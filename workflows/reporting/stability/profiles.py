"""The plot of the objective against the value of each cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...results.cut_profiles import Robustness
from ..style import OPTIMUM_COLOR, SOFT_COLOR, Plot, new_figure

COLUMNS = (4, 3)
PROFILE_COLUMNS = ("parameter", "value", "objective", "loss", "loss_uncertainty", "signal")


def profile_plot(found: Robustness) -> Plot:
    """Return the plot of the report."""
    caption = (
        "The loss of the objective when one cut is moved and the others stay: hard cuts on events that had no part in "
        "choosing them. The bars are the uncertainty of the difference from the optimum (star); within the shaded "
        "region the events cannot tell the values apart, and the line is the roundest value in it. Grey: out of bounds."
    )
    return Plot("profiles", caption, lambda: plot_profiles(found), lambda: profile_rows(found))


def profile_rows(found: Robustness) -> Iterator[tuple[Any, ...]]:
    """Yield the titles of the columns, and a line for each value of each cut."""
    yield PROFILE_COLUMNS
    for p in found.profiles:
        arrays = (p.values, p.objective, p.loss, p.loss_uncertainty, p.signal)
        yield from ((p.name, *numbers) for numbers in zip(*(a.tolist() for a in arrays), strict=True))


def plot_profiles(found: Robustness) -> Figure:
    """Draw the loss against the value of each cut."""
    number = len(found.profiles)
    columns = min(number, min(COLUMNS, key=lambda columns: -number % columns))
    rows = -(-number // columns)
    figure = new_figure(3.0 * columns, 2.6 * rows + 0.2)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, p in zip(grid.flat, found.profiles, strict=False):
        low, high = p.bounds
        margin = 0.05 * (high - low)
        first, last = min(low, float(p.values[0])) - margin, max(high, float(p.values[-1])) + margin
        for outside in ((first, low), (high, last)):
            axes.axvspan(*outside, color="0.88", lw=0)
        axes.axvspan(*p.flat, color=SOFT_COLOR, alpha=0.2, lw=0)
        axes.axvline(p.rounded, color="black", lw=1)
        axes.errorbar(p.values, p.loss, yerr=p.loss_uncertainty, fmt="o-", ms=3, lw=1, color=SOFT_COLOR)
        axes.plot([p.optimum], [0], "*", ms=11, color=OPTIMUM_COLOR, zorder=3)
        axes.set_xlim(first, last)
        axes.set_title(p.name + (f" [{p.unit}]" if p.unit else ""), fontsize=10.5)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    for axes in grid.flat[number:]:
        axes.remove()
    for row in grid:
        row[0].set_ylabel("loss")
    return figure
