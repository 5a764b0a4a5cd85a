"""Plots of an optimisation's course: the figure of merit and every parameter against the step."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from hepgrad.analysis import Result

from .style import OPTIMUM_COLOR, SOFT_COLOR, START_COLOR, label_axes, new_figure
from .subject import Subject

COLUMNS = (5, 4, 3)


def plot_objective(result: Result, subject: Subject) -> Figure:
    """Draw the figure of merit against the step, in both readings, above the width of the soft cuts."""
    figure = new_figure(8, 6)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    steps = [record.step for record in result.history]
    told = result.merit.of
    top.plot(steps, [told(r.objective) for r in result.history], color=SOFT_COLOR, label="soft cuts, training events")
    # a record holds the hard objective after its update, which is before the next step
    hard = [(r.step + 1, told(r.hard)) for r in result.history if not math.isnan(r.hard)]
    chosen_by = [(r.step + 1, told(r.validation)) for r in result.history if not math.isnan(r.validation)]
    start = told(result.start.hard_train.objective)
    points: dict[str, Any] = {"color": OPTIMUM_COLOR, "clip_on": False, "zorder": 3}
    top.plot(*zip((0, start), *hard, strict=True), "o", ms=4, label="hard cuts, training events", **points)
    if chosen_by:
        style: dict[str, Any] = {"ms": 5, "mfc": "none", "color": "black"}
        top.plot(*zip(*chosen_by, strict=True), "s", label="hard cuts, validation events", **style)
    top.axhline(start, color=START_COLOR, ls="--", lw=1.2, label="starting cuts (hard, training events)")
    best = result.best.best_step
    top.plot([best], [told(result.optimum.hard_train.objective)], "*", ms=14, label="result", **points)
    held_out = [point.hard_held_out.objective for point in (result.start, result.optimum)]
    a, b = (told(value) for value in held_out)
    label = r" $\rightarrow$ ".join(result.merit.text(value, ".2f") for value in held_out)
    label = f"hard cuts, held-out events: {label}"
    top.plot([0, best], [a, b], "D", ms=7, mfc="none", mec="black", label=label, clip_on=False, zorder=4)
    top.set_ylabel(result.merit.title, loc="top")
    top.set_ylim(0, 1.08 * top.get_ylim()[1])
    corner = "lower left" if result.merit.logarithmic else "lower right"
    top.legend(loc=corner, frameon=True, framealpha=0.9, edgecolor="none")
    label_axes(top, subject)

    bottom.plot(steps, [r.width for r in result.history], color="black")
    bottom.set_yscale("log")
    bottom.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    bottom.yaxis.set_major_formatter(FuncFormatter(lambda width, position: f"{width:g}"))
    bottom.yaxis.set_minor_locator(NullLocator())
    bottom.set_ylabel("width factor", loc="center", fontsize=10)
    bottom.set_xlabel("step", loc="right")
    bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
    # a margin, so that what is drawn at the first step covers no label of the axis
    bottom.set_xlim(-0.02 * len(steps), 1.02 * len(steps))
    return figure


def plot_parameters(result: Result) -> Figure:
    """Draw every free parameter against the step, with its bounds."""
    parameters = result.start.parameters
    start, optimum, ranges = parameters.numbers(), result.optimum.parameters.numbers(), parameters.ranges()
    # elements of arrays one by one, network weights not at all
    names = [name for name in start if not parameters.spec_of(name).frozen]
    # as few gaps in the last row as possible
    columns = min(len(names), min(COLUMNS, key=lambda columns: -len(names) % columns))
    rows = -(-len(names) // columns)
    figure = new_figure(2.8 * columns, 2.4 * rows + 0.2)
    grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
    steps = [record.step for record in result.history]
    best = result.best.best_step
    for axes, name in zip(grid.flat, names, strict=False):
        spec, (low, high) = parameters.spec_of(name), ranges[name]
        margin = 0.1 * (high - low)
        for outside in ((low - margin, low), (high, high + margin)):
            axes.axhspan(*outside, color="0.88", lw=0)
        axes.axhline(start[name], color=START_COLOR, ls="--", lw=1.0)
        axes.plot(steps, [record.values[name] for record in result.history], color=SOFT_COLOR)
        axes.plot([best], [optimum[name]], "*", ms=11, color=OPTIMUM_COLOR, clip_on=False, zorder=3)
        axes.set_ylim(low - margin, high + margin)
        axes.set_xlim(0, len(steps))
        # each element of an array has a panel, and so a title, of its own
        _, bracket, element = name.partition("[")
        title = f"{spec.label}{bracket}{element}" if spec.label else name
        axes.set_title(title + (f" [{spec.unit}]" if spec.unit else ""), fontsize=10.5)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    for axes in grid.flat[len(names) :]:
        axes.remove()
    for column in range(columns):
        lowest = max(i for i in range(column, len(names), columns))
        grid.flat[lowest].set_xlabel("step", loc="right")
        grid.flat[lowest].tick_params(labelbottom=True)
    return figure
