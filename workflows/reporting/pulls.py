"""Pulls and constraints: what the fit says about the parameters whose values were measured elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from ..files.stored_files import read_rows
from ..messages.terminal import visible
from ..results.file_names import PULLS
from ..results.stored_result import Rows
from .style import SOFT_COLOR, Plot, new_figure

TITLES = {"asimov": "expected (Asimov data)", "observed": "observed"}
# more parameters than this stand in the file alone
SHOWN = 60


def pulls_tables(folder: Path) -> list[Table]:
    """Return the fitted parameters as a table; none for a run without a likelihood."""
    if not (folder / PULLS).exists():
        return []
    rows = _last_fit(read_rows(folder / PULLS))
    table = Table(title=f"Parameters of the fit, optimised cuts, {TITLES[rows[0]['fit']]}")
    for column in ("parameter", "value", "+-", "pull", "constraint"):
        table.add_column(column, justify="left" if column == "parameter" else "right")
    for row in rows[:SHOWN]:
        pulled = (f"{float(row['pull']):+.2f}", f"{float(row['constraint']):.2f}") if row["pull"] else ("", "")
        # no minus in front of a pull that is nothing but rounding
        pulled = (pulled[0].replace("-0.00", "+0.00"), pulled[1])
        uncertainty = f"{float(row['uncertainty']):.3f}"
        state = row.get("state", "free")  # runs of before did not say
        told = {"free": uncertainty, "fixed": "fixed"}.get(state, f"{uncertainty}, {state}")
        table.add_row(row["parameter"], f"{float(row['value']):.3f}", told, *pulled)
    return [table]


def pulls_plots(folder: Path) -> list[Plot]:
    """Return the plot of the pulls; none for a run without constrained parameters."""
    if not (folder / PULLS).exists():
        return []
    rows = [row for row in read_rows(folder / PULLS) if row["pull"]]
    if not rows:
        return []
    what = "observed events" if "observed" in {row["fit"] for row in rows} else "Asimov data, hence at 0"
    caption = (
        f"Pulls of all constrained parameters in the fit to {what}: best fit less what was measured before, in units "
        "of the uncertainty before. The bars are the uncertainties after the fit in that unit: a bar shorter than the "
        "band tells that the events measure the parameter better than was known."
    )
    return [Plot("pulls", caption, lambda: plot_pulls(rows))]


def plot_pulls(rows: Rows) -> Figure:
    """Draw pulls and constraints of all fits, one line a parameter."""
    names = list(dict.fromkeys(row["parameter"] for row in rows))[:SHOWN]
    figure = new_figure(7.5, 1.3 + 0.26 * len(names))
    axes = figure.subplots()
    axes.axvspan(-1, 1, color="0.92", lw=0)
    axes.axvline(0, color="0.5", lw=0.9)
    fits = list(dict.fromkeys(row["fit"] for row in rows))
    colors = {fits[-1]: "black", **({} if len(fits) == 1 else {fits[0]: SOFT_COLOR})}
    furthest = 1.2
    for fit, shift in zip(fits, (0.0, 0.0) if len(fits) == 1 else (-0.15, 0.15), strict=False):
        mine = {row["parameter"]: row for row in rows if row["fit"] == fit and row["parameter"] in names}
        pull, constraint = (np.array([float(row[name]) for row in mine.values()]) for name in ("pull", "constraint"))
        # the first parameter on top
        places = len(names) - 1 - np.array([names.index(name) for name in mine]) - shift
        style: dict[str, Any] = {"fmt": "o", "ms": 4, "color": colors[fit], "elinewidth": 1.2, "label": TITLES[fit]}
        axes.errorbar(pull, places, xerr=constraint, **style)
        furthest = max(furthest, float(np.max(abs(pull) + constraint)))
    axes.set_xlim(-1.15 * furthest, 1.15 * furthest)
    axes.set_ylim(-0.8, len(names) - 0.2)
    axes.set_yticks(range(len(names)), list(map(visible, names[::-1])), fontsize=9)
    axes.tick_params(axis="y", which="minor", left=False, right=False)
    axes.set_xlabel("pull", loc="right")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def _last_fit(rows: Rows) -> Rows:
    """Return the rows of the observed fit, if there is one."""
    return [row for row in rows if row["fit"] == rows[-1]["fit"]]
