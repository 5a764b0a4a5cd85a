"""Drawing control plots from ``control.csv``."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from hepgrad.analysis import Channel

from ...files.stored_files import read_rows
from ...results.control import CONTROL, OBSERVED, PROCESS, TOTAL
from ...results.stored_result import Rows
from ..channel import event_label, legend_label, process_colors
from ..observed import draw_observed, draw_observed_ratio
from ..style import Plot, label_axes, new_figure, whole_numbers
from ..subject import Subject


def control_plots(folder: Path, subject: Subject) -> list[Plot]:
    """Return the control plots of a run, one for each column and step; none for a run without them.

    Parameters
    ----------
    folder
        Of the run.
    subject
        Processes, the columns of the plots, and how plots are labelled.
    """
    if not (folder / CONTROL).exists():
        return []
    rows = read_rows(folder / CONTROL)
    plots = []
    for channel in subject.plots:
        mine = [row for row in rows if row["plot"] == channel.name]
        for number, step in enumerate(dict.fromkeys(row["step"] for row in mine)):
            here = [row for row in mine if row["step"] == step]
            when = "all events that were read" if number == 0 else f"after {step!r} and the cuts before it"
            plots.append(
                Plot(
                    f"control-{channel.name}-{number}",
                    f"{channel.name}, {when}: hard cuts at their optimised values, held-out events. The hatched band "
                    "is the total uncertainty of the prediction: simulated statistics and, in quadrature, all "
                    "systematic sources.",
                    functools.partial(_draw, here, subject, channel, when),
                )
            )
    return plots


def _draw(rows: Rows, subject: Subject, channel: Channel, when: str) -> Figure:
    """Draw one step: all processes stacked, the data if they are there, and the ratio below."""
    edges = np.array([*(float(row["low"]) for row in _of(rows, TOTAL)), float(_of(rows, TOTAL)[-1]["high"])])
    total, statistical, systematic = (
        _numbers(_of(rows, TOTAL), name) for name in ("events", "statistical", "systematic")
    )
    spread = np.hypot(statistical, systematic)
    data = _numbers(_of(rows, OBSERVED), "events") if _of(rows, OBSERVED) else None
    figure = new_figure(6.6, 6)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    colors = process_colors(subject.prediction)
    contents = {
        process.name: np.maximum(_numbers(_of(rows, PROCESS, process.name), "events"), 0)
        for process in subject.prediction
    }
    below = np.zeros(len(edges) - 1)
    for process in sorted(subject.prediction, key=lambda process: (process.signal, contents[process.name].sum())):
        above = below + contents[process.name]
        style: dict[str, Any] = {"fill": True, "facecolor": colors[process.name], "edgecolor": "black", "lw": 0.6}
        top.stairs(above, edges, baseline=below, label=legend_label(process), **style)
        below = above
    band: dict[str, Any] = {"fill": True, "facecolor": "none", "edgecolor": "0.25", "hatch": "//////", "lw": 0}
    top.stairs(total + spread, edges, baseline=np.maximum(total - spread, 0), label="total uncertainty", **band)
    if data is not None:
        draw_observed(top, data, edges)
    draw_observed_ratio(bottom, data if data is not None else np.full_like(total, np.nan), edges, total, spread)
    shown = np.concatenate([below, total, *([] if data is None else [data])])
    highest, lowest = float(shown.max(initial=0)), float(shown[shown > 0].min(initial=np.inf))
    lowest = max(min(lowest, highest), 1e-5 * highest) / 3 if highest > 0 else 0.1
    highest = highest or 1.0
    # room for the legend, above the highest bin
    top.set_ylim(lowest, highest * (highest / lowest) ** 0.6)
    top.set_yscale("log")
    top.set_ylabel(event_label(channel), loc="top")
    bottom.set_ylabel("data / pred." if data is not None else "uncertainty", loc="center")
    bottom.set_ylim(0, 2)
    bottom.set_xlim(edges[0], edges[-1])
    bottom.set_xlabel(channel.axis.title or channel.observable, loc="right")
    whole_numbers(bottom, edges)
    label_axes(top, subject, shown="Data and prediction" if data is not None else "Simulation")
    top.text(0.04, 0.96, when, fontweight="bold", transform=top.transAxes, va="top")
    top.legend(loc="upper left", bbox_to_anchor=(0.02, 0.92), ncols=2, columnspacing=1.0, handlelength=1.4, fontsize=9)
    return figure


def _of(rows: Rows, kind: str, process: str = "") -> Rows:
    return [row for row in rows if (row["kind"], row["process"]) == (kind, process)]


def _numbers(rows: Sequence[dict[str, str]], column: str) -> np.ndarray:
    return np.array([float(row[column]) for row in rows])
