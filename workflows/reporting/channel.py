"""The plot of a channel: the observable before and after the optimisation, stacked by process, and the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from hepgrad.analysis import Channel, Point, Regular, Result

from ..read.process import Process
from ..results.observation import Observation
from ..results.run_files import points
from .observed import draw_observed, draw_observed_ratio
from .style import BACKGROUND_COLORS, SIGNAL_COLORS, label_axes, new_figure, whole_numbers
from .subject import Subject

Counted: TypeAlias = tuple[np.ndarray, np.ndarray]
Style: TypeAlias = dict[str, Any]


def plot_channel(result: Result, subject: Subject, channel: Channel, observation: Observation | None = None) -> Figure:
    """Draw the observable with hard cuts on held-out events, for the starting and for the optimised cuts.

    Backgrounds are stacked, signals are lines of their own, the hatched band is the uncertainty from the number of
    simulated events. Below is the signal over the background, or, when the analysis is unblinded, the observed events
    over all backgrounds. A process that counts for less than nothing in a bin is drawn as nothing. There is no
    observation while the analysis is blinded.
    """
    figure = new_figure(11, 6)
    grid = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3.2, 1))
    titles = ("starting cuts", "optimised cuts")
    points = (result.start, result.optimum)
    processes = subject.prediction
    counted = [_visible(point, processes, channel) for point in points]
    seen = [] if observation is None else [observation.start, observation.optimum]
    data = [np.asarray(channel.axis.select(counts[channel.name].sumw)) for counts in seen]
    order = _stacking_order(counted[0], processes)
    colors = process_colors(processes)
    signals = [process for process in processes if process.signal]
    for column, (title, point, counts) in enumerate(zip(titles, points, counted, strict=True)):
        top, bottom = grid[:, column]
        edges = channel.axis_at(point.parameters).edges
        _draw_stack(top, counts, edges, order, signals, colors)
        if data:
            background, spread = _background(counts, order)
            draw_observed(top, data[column], edges)
            draw_observed_ratio(bottom, data[column], edges, background, spread)
        else:
            _draw_ratio(bottom, counts, edges, order, signals, colors)
        label_axes(top, subject, shown="Data and prediction" if data else "Simulation")
        place: Style = {"transform": top.transAxes, "va": "top"}
        top.text(0.04, 0.95, title, fontweight="bold", **place)
        merit = result.merit.text(point.hard_held_out.objective, ".3g")
        top.text(0.04, 0.885, f"expected {result.merit.short} {merit}", fontsize=10, **place)
        bottom.set_xlabel(channel.axis.title or channel.observable, loc="right")
        whole_numbers(bottom, edges)
    # limits first: the logarithmic scale refuses to find its own where no event passes
    grid[0, 0].set_ylim(*_y_range(counted, order, signals, data))
    grid[0, 0].set_yscale("log")
    grid[0, 0].set_ylabel(event_label(channel), loc="top")
    if data:
        grid[1, 0].set_ylabel("data / bkg.", loc="center")
        grid[1, 0].set_ylim(0, 2)
    else:
        grid[1, 0].set_ylabel("S / B", loc="center")
        grid[1, 0].set_ylim(0, 1.1 * grid[1, 0].get_ylim()[1])
    grid[1, 0].set_xlim(channel.axis.edges[0], channel.axis.edges[-1])
    # as on the plot from top to bottom: data and signals, then backgrounds from the largest, then the band
    handles, labels = grid[0, 1].get_legend_handles_labels()
    turn = [*range(len(order) + 1, len(labels)), *range(len(order) - 1, -1, -1), len(order)]
    handles, labels = [handles[i] for i in turn], [labels[i] for i in turn]
    grid[0, 1].legend(handles, labels, loc="upper right", ncols=2, columnspacing=1.0, handlelength=1.4)
    return figure


def channel_numbers(
    result: Result, subject: Subject, channel: Channel, observation: Observation | None = None
) -> Iterator[tuple[Any, ...]]:
    """Yield what `plot_channel` draws, the titles of the columns first."""
    yield "cuts", "kind", "process", "low", "high", "events", "uncertainty"
    for name, point in points(result).items():
        edges = channel.axis_at(point.parameters).edges.tolist()
        counts = jax.tree.map(np.asarray, channel.axis.select(point.hard_held_out.histograms[channel.name]))
        rows = list(point.hard_held_out.yields)
        drawn = [
            ("process", p.name, counts.sumw[rows.index(p.name)], counts.sumw2[rows.index(p.name)])
            for p in subject.prediction
        ]
        if observation is not None:
            seen = channel.axis.select(getattr(observation, name)[channel.name])
            drawn.append(("data", "", np.asarray(seen.sumw), np.asarray(seen.sumw)))
        for kind, process, sumw, sumw2 in drawn:
            for low, high, events, variance in zip(edges[:-1], edges[1:], sumw.tolist(), sumw2.tolist(), strict=True):
                yield name, kind, process, low, high, events, variance**0.5


def _visible(point: Point, processes: Any, channel: Channel) -> dict[str, Counted]:
    counts = jax.tree.map(np.asarray, channel.axis.select(point.hard_held_out.histograms[channel.name]))
    rows = list(point.hard_held_out.yields)
    return {
        p.name: (np.maximum(counts.sumw[rows.index(p.name)], 0), counts.sumw2[rows.index(p.name)]) for p in processes
    }


def _stacking_order(counts: dict[str, Counted], processes: Any) -> list[Process]:
    """Return the backgrounds from the smallest, which lies at the bottom of a logarithmic stack, to the largest."""
    backgrounds = [process for process in processes if not process.signal]
    return sorted(backgrounds, key=lambda process: float(counts[process.name][0].sum()))


def legend_label(process: Process) -> str:
    """Return what legends say of a process."""
    # matplotlib leaves out labels that begin with an underscore
    return f" {process.label}" if process.label.startswith("_") else process.label


def process_colors(processes: Any) -> dict[str, str]:
    """Return the colour of each process, by name."""
    colors: dict[str, str] = {}
    for is_signal, palette in ((True, SIGNAL_COLORS), (False, BACKGROUND_COLORS)):
        alike = [process for process in processes if process.signal == is_signal]
        colors |= {p.name: p.color or _nth(palette, i) for i, p in enumerate(alike)}
    return colors


def _nth(palette: Sequence[str], number: int) -> str:
    """Return a colour of its own: when all were taken, the same ones follow paler, and then paler still."""
    turn, place = divmod(number, len(palette))
    red, green, blue = (1 - (1 - share) * 0.5**turn for share in to_rgb(palette[place]))
    return str(to_hex((red, green, blue)))


def _background(counts: dict[str, Counted], order: list[Process]) -> Counted:
    """Return all backgrounds together, and the uncertainty from the number of simulated events."""
    total, variance = (np.sum([counts[process.name][i] for process in order], axis=0) for i in (0, 1))
    return total, np.sqrt(variance)


def _draw_stack(
    axes: Axes, counts: dict[str, Counted], edges: np.ndarray, order: list[Process], signals: list[Process], colors: Any
) -> None:
    below = np.zeros(len(edges) - 1)
    for process in order:
        above = below + counts[process.name][0]
        style: Style = {"fill": True, "facecolor": colors[process.name], "edgecolor": "black", "lw": 0.6}
        axes.stairs(above, edges, baseline=below, label=legend_label(process), **style)
        below = above
    total, spread = _background(counts, order)
    band: Style = {"fill": True, "facecolor": "none", "edgecolor": "0.25", "hatch": "//////", "lw": 0}
    axes.stairs(total + spread, edges, baseline=np.maximum(total - spread, 0), label="simulated statistics", **band)
    for process in signals:
        axes.stairs(counts[process.name][0], edges, color=colors[process.name], lw=2.2, label=legend_label(process))


def _draw_ratio(
    axes: Axes, counts: dict[str, Counted], edges: np.ndarray, order: list[Process], signals: list[Process], colors: Any
) -> None:
    background, _ = _background(counts, order)
    for process in signals:
        signal = counts[process.name][0]
        ratio = np.divide(signal, background, out=np.full_like(signal, np.nan), where=background > 0)
        axes.stairs(ratio, edges, color=colors[process.name], lw=2.0, baseline=None)
    axes.grid(axis="y", color="0.85", lw=0.8)


def _y_range(
    counted: list[dict[str, Counted]], order: list[Process], signals: list[Process], data: list[np.ndarray]
) -> tuple[float, float]:
    """Return limits that show every filled bin and leave room for the legend."""
    totals = [_background(counts, order)[0] for counts in counted]
    shown = np.concatenate([*totals, *data, *(counts[process.name][0] for counts in counted for process in signals)])
    shown = shown[shown > 0]
    if not shown.size:
        return 0.1, 1.0
    lowest, highest = max(float(shown.min()), 1e-5 * float(shown.max())) / 3, float(shown.max())
    return lowest, highest * (highest / lowest) ** 0.45


def event_label(channel: Channel) -> str:
    """Return the label of the vertical axis: events in bins of one width, or events."""
    axis = channel.axis
    width = f"{(axis.stop - axis.start) / axis.bins:.4g} {axis.unit}".rstrip() if isinstance(axis, Regular) else "1"
    # numbers of jets are counted in bins of one, which goes without saying
    if width != "1" and channel.edges is None:
        return f"Events / {width}"
    return "Events"
