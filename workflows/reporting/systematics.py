"""Systematic uncertainties in the report: what each source does to the yields, and to the signal strength."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from ..files.stored_files import read_json, read_rows
from ..messages.terminal import visible
from ..results import file_names
from .pulls import pulls_plots, pulls_tables
from .style import OPTIMUM_COLOR, SOFT_COLOR, Plot, new_figure

# parameters in the plot
SHOWN = 15


def systematics_tables(folder: Path) -> list[Table]:
    """Return what each source does to the yields, what the uncertainty is made of, and the pulls.

    A table whose file the folder does not have is left out.
    """
    sources, parts = folder / file_names.SYSTEMATICS, folder / file_names.UNCERTAINTY
    tables = [_source_table(read_rows(sources))] if sources.exists() else []
    if parts.exists():
        tables.append(_parts_table(read_json(parts)))
    return [*tables, *pulls_tables(folder)]


def systematics_plots(folder: Path) -> list[Plot]:
    """Return the plots of impacts and of pulls, if the run has them."""
    parts, path = folder / file_names.UNCERTAINTY, folder / file_names.IMPACTS
    if not (parts.exists() and path.exists()):
        return []
    parameter = read_json(parts)["parameter"]
    caption = (
        f"Left: pulls of the parameters that matter most for {parameter}, and their uncertainties after the fit, in "
        f"units of the uncertainty before. Right: by how much {parameter} changes when a parameter is moved by one "
        "standard deviation, and the others are fitted again."
    )
    if cut := [row["parameter"] for row in read_rows(path) if row.get("cut_off")]:
        caption += (
            f" Marked with a star: impacts of {', '.join(cut)} that the bounds of {parameter} cut off, and that would "
            "be larger without them."
        )
    return [Plot("impacts", caption, lambda: plot_impacts(read_rows(path), parameter)), *pulls_plots(folder)]


def _source_table(rows: list[dict[str, str]]) -> Table:
    """Return the relative effect of each source on each process, over all channels."""
    here = [row for row in rows if row["point"] == "optimum"]
    processes, sources = (list(dict.fromkeys(row[key] for row in here)) for key in ("process", "source"))
    table = Table(title="One standard deviation, down and up, optimised cuts, all channels")
    table.add_column("source")
    for process in processes:
        table.add_column(process, justify="right")
    for source in sources:
        cells = []
        for process in processes:
            mine = [row for row in here if (row["source"], row["process"]) == (source, process)]
            total = sum(float(row["yield"]) for row in mine)
            changes = [sum(float(row[side]) * float(row["yield"]) for row in mine) for side in ("down", "up")]
            cells.append(", ".join(f"{change / total:+.1%}" for change in changes) if total > 0 else "")
        table.add_row(source, *cells)
    return table


def _parts_table(parts: dict[str, Any]) -> Table:
    """Return the parts of the uncertainty, largest first; their squares need not add up."""
    table = Table(title=f"Uncertainty of {parts['parameter']}, optimised cuts")
    table.add_column("part")
    table.add_column("+-", justify="right")
    table.add_row("all", f"{parts['total']:.3g}", style="bold")
    named = {"statistical": parts["statistical"], **parts["sources"]}
    for name, part in sorted(named.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{part:.3g}")
    return table


def plot_impacts(rows: list[dict[str, str]], parameter: str) -> Figure:
    """Draw pulls and impacts of the parameters that matter most, the largest on top.

    Rows are those of ``impacts.csv``, largest first.
    """
    shown = [row for row in rows if row["parameter"] != parameter][:SHOWN][::-1]
    names = [row["parameter"] for row in shown]
    columns = ("pull", "constraint", "prefit_down", "prefit_up", "postfit_down", "postfit_up")
    # no impact is drawn of a parameter whose fits did not converge
    pull, constraint, pre_down, pre_up, post_down, post_up = (
        np.array([float(row[name] or "nan") for row in shown]) for name in columns
    )
    places = np.arange(len(shown))
    figure = new_figure(9, 1.4 + 0.36 * len(shown))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.5))
    # a parameter without a measurement of its own has no pull
    known = constraint > 0
    left.axvspan(-1, 1, color="0.92", lw=0)
    left.axvline(0, color="0.5", lw=0.9)
    left.errorbar(pull[known], places[known], xerr=constraint[known], fmt="o", ms=5, color="black", elinewidth=1.2)
    left.set_xlim(-max(2.2, 1.1 * float(np.max(abs(pull) + constraint, initial=0))), None)
    left.set_xlim(right=-left.get_xlim()[0])
    left.set_xlabel("pull", loc="right")
    marks = [" *" if row.get("cut_off") else "" for row in shown]
    left.set_yticks(places, [visible(name) + mark for name, mark in zip(names, marks, strict=True)])
    for axes in (left, right):
        axes.tick_params(axis="y", which="minor", left=False, right=False)
    for down, up, style in (
        (pre_down, pre_up, {"fill": False, "lw": 1.0, "label": "before the fit"}),
        (post_down, post_up, {"alpha": 0.75, "lw": 0, "label": "after the fit"}),
    ):
        for width, color, side in ((up, OPTIMUM_COLOR, "+1"), (down, SOFT_COLOR, "-1")):
            label = f"{side} s.d. {style['label']}"
            right.barh(places, width, 0.7, color=color, edgecolor=color, **{**style, "label": label})
    right.axvline(0, color="0.5", lw=0.9)
    right.set_xlabel(f"change of {parameter}", loc="right")
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9)
    return figure
