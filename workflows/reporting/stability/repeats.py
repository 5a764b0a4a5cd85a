"""The plot of repeated searches: where each began and ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ...stability.repeated import RepeatedSearch
from ..style import OPTIMUM_COLOR, SOFT_COLOR, START_COLOR, Plot, new_figure

REPEAT_COLUMNS = ("search", "parameter", "start", "end", "trained", "held_out")


def repeats_plot(found: RepeatedSearch) -> Plot:
    """Return the plot of the report."""
    caption = (
        "Every cut in searches that were repeated on replicas of the training events and from other starts: where each "
        "began (grey) and ended (blue), between its bounds; the star is the result. What ends in one place is "
        "determined by the data."
    )
    return Plot("repeats", caption, lambda: plot_repeats(found), lambda: repeat_rows(found))


def repeat_rows(found: RepeatedSearch) -> Iterator[tuple[Any, ...]]:
    """Yield the titles of the columns, and a line for each cut of each search."""
    yield REPEAT_COLUMNS
    for number, (starts, values) in enumerate(zip(found.starts.tolist(), found.values.tolist(), strict=True)):
        objectives = float(found.trained[number]), float(found.held_out[number])
        for name, start, value in zip(found.names, starts, values, strict=True):
            yield number + 1, name, start, value, *objectives


def plot_repeats(found: RepeatedSearch) -> Figure:
    """Draw starts and ends of all cuts, each between its bounds."""
    number = len(found.names)
    figure = new_figure(8, 1.2 + 0.4 * number)
    axes = figure.subplots()
    low, high = found.bounds.T

    def share(values: np.ndarray) -> np.ndarray:
        return np.asarray((values - low) / (high - low))

    rows = np.arange(number)
    for values, shift, color in ((found.starts, 0.15, START_COLOR), (found.values, -0.15, SOFT_COLOR)):
        heights = np.broadcast_to(rows + shift, values.shape)
        axes.plot(share(values).ravel(), heights.ravel(), "o", ms=4, alpha=0.6, color=color, clip_on=False)
    axes.plot(share(found.optimum), rows - 0.15, "*", ms=12, color=OPTIMUM_COLOR, clip_on=False, zorder=3)
    axes.set_xlim(0, 1)
    axes.set_ylim(number - 0.5, -0.5)
    axes.set_yticks(rows, found.names)
    axes.minorticks_off()
    axes.set_xlabel("value, from the lower to the upper bound", loc="right")
    return figure
