"""The report as one HTML page without references to other files."""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Sequence
from string import Template
from typing import Any

import numpy as np
from rich.table import Table

from hepgrad.analysis import Result
from hepgrad.analysis.cutflow import Tally

from ..bootstrap import Improvement
from ..negative import negative_bins
from ..observation import Observation
from ..run_files import points
from ..run_folder import RunFolder
from ..workflow import Workflow
from .channel import plot_channel
from .history import plot_objective, plot_parameters
from .slopes import slopes_table
from .style import Plot
from .systematics import systematics_plots, systematics_tables

POINT_TITLES = {"start": "Starting cuts", "optimum": "Optimised cuts"}

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; }
h2 { font-size: 1.25rem; margin-top: 2.5rem; padding-bottom: .2rem; border-bottom: 1px solid #d0d7de; }
.facts { color: #57606a; margin-top: 0; }
.headline { font-size: 1.15rem; background: #f6f8fa; border-left: 4px solid #bd1f01; padding: .8rem 1rem; }
.tables { display: flex; overflow-x: auto; flex-wrap: wrap; gap: 1rem 2.5rem; align-items: flex-start; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #e4e8ec; text-align: left; white-space: nowrap; }
th { border-bottom: 2px solid #8c959f; }
.right { text-align: right; }
.bold td { font-weight: 600; }
small { color: #57606a; }
figure { margin: 1rem 0 2rem; }
figure img { max-width: 100%; }
figcaption { color: #57606a; max-width: 50rem; }
pre { background: #f6f8fa; padding: 1rem; overflow-x: auto; font-size: .85rem; }
</style>
</head>
<body>
<h1>$title</h1>
<p class="facts">$facts</p>
<p class="headline">$headline</p>
<h2>Result</h2>
$notes
<div class="tables">$tables</div>
<h2>Plots</h2>
$plots
$systematics
<h2>Cutflow</h2>
<p>Hard cuts on held-out events: expected events &plusmn; uncertainty from the simulated statistics, and in brackets the
number of simulated events.</p>
<div class="wide">$cutflows</div>
<h2>N &minus; 1</h2>
<p>The same events if one selection is left out: what it removes that no other one does. In the first line, all are
made.</p>
<div class="wide">$n_minus_1</div>
<h2>Configuration</h2>
<details><summary>Settings, data and versions</summary><pre>$configuration</pre></details>
</body>
</html>
""")


def write_report(
    folder: RunFolder,
    result: Result,
    workflow: Workflow,
    facts: dict[str, Any],
    improvement: Improvement,
    observation: Observation | None = None,
) -> None:
    """Write the plots and ``report.html``.

    Parameters
    ----------
    folder
        Where to.
    result
        What the optimisation found.
    workflow
        What was run.
    facts
        What it takes to repeat the run, as in ``run.json``.
    improvement
        What was gained on held-out events, with its uncertainty.
    observation
        What was observed; None while the analysis is blinded.
    """
    figures = [_figure(plot.save(folder), plot.caption) for plot in report_plots(result, workflow, observation)]
    start, optimum = (result.merit.of(point.hard_held_out.objective) for point in points(result).values())
    gain = "" if math.isnan(result.gain) else f", {result.gain:.2f} times better"
    shown = [
        f"{workflow.luminosity / 1000:.3g} fb⁻¹ at {workflow.energy:g} TeV",
        f"{facts['steps']} steps in {facts['seconds']} s",
        f"finished {facts['finished']}",
        f"hepgrad {facts['versions']['hepgrad']}",
    ]
    flows = {POINT_TITLES[name]: point.cutflow for name, point in points(result).items()}
    notes = _notes(result, workflow, observation)
    tables = [*result.tables(), slopes_table(result), *([] if observation is None else observation.tables())]
    page = PAGE.substitute(
        title=html.escape(workflow.title),
        facts=html.escape(" · ".join(shown)),
        headline=(
            f"{html.escape(result.merit.title)} with hard cuts on events that the optimiser never saw: "
            f"<b>{start:.2f} &rarr; {optimum:.2f}</b>{gain}."
        ),
        notes="\n".join(f"<p>{html.escape(note)}</p>" for note in [f"{improvement}.", *notes]),
        tables="\n".join(map(html_table, tables)),
        plots="\n".join(figures),
        systematics=_systematics(folder),
        cutflows="\n".join(html_tally(title, f.steps, f, workflow) for title, f in flows.items()),
        n_minus_1="\n".join(
            html_tally(title, ["all selections", *(f"without: {step}" for step in f.steps[1:])], f.n_minus_1, workflow)
            for title, f in flows.items()
        ),
        configuration=html.escape(json.dumps(facts, indent=2)),
    )
    folder.write_text("report.html", page)


def _notes(result: Result, workflow: Workflow, observation: Observation | None) -> list[str]:
    """Return what a reader of the numbers has to know."""
    blinded = "Blinded: the observed events of the signal selection have not been used; --unblind shows them."
    is_blinded = workflow.source is not None and observation is None
    lines = negative_bins(workflow.analysis, result.optimum)
    return [*([blinded] if is_blinded else []), *(f"With the optimised cuts, {line}." for line in lines)]


def _systematics(folder: RunFolder) -> str:
    """Return the section on systematic uncertainties; nothing for a model without them."""
    tables = [html_table(table) for table in systematics_tables(folder.path)]
    if not tables:
        return ""
    figures = [_figure(plot.save(folder), plot.caption) for plot in systematics_plots(folder.path)]
    return "\n".join(["<h2>Systematic uncertainties</h2>", '<div class="tables">', *tables, "</div>", *figures])


def report_plots(result: Result, workflow: Workflow, observation: Observation | None = None) -> list[Plot]:
    """Return the plots of a report.

    Parameters
    ----------
    result
        What the optimisation found.
    workflow
        What was run.
    observation
        What was observed; None while the analysis is blinded.
    """
    below = "" if observation is None else " Points are the observed events; below, their ratio to all backgrounds."
    channels = [
        Plot(
            channel.name,
            f"{channel.name}, before and after: hard cuts on held-out events. Backgrounds are stacked, the signal is "
            f"drawn on its own, the hatched band is the uncertainty from the number of simulated events.{below}"
            + (" The outermost bins hold the under- and overflow." if channel.axis.flow == "fold" else ""),
            lambda channel=channel: plot_channel(result, workflow, channel, observation),  # type: ignore[misc]
        )
        for channel in workflow.analysis.channels
    ]
    return [
        *channels,
        Plot(
            "objective",
            "The objective of the optimiser (line) against the step, the same with hard cuts (points), and the width "
            "of the soft cuts relative to where it starts. The result is the best of the points; held-out events "
            "choose nothing.",
            lambda: plot_objective(result, workflow),
        ),
        Plot(
            "parameters",
            "Every free parameter against the step. Dashed: where it started; star: the result; grey: out of bounds.",
            lambda: plot_parameters(result),
        ),
    ]


def html_table(table: Table) -> str:
    """Return a table of rich as HTML.

    Parameters
    ----------
    table
        With plain text in its cells.
    """
    sides = [" class='right'" if column.justify == "right" else "" for column in table.columns]
    header = [str(column.header) for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    bold = [row.style == "bold" for row in table.rows]
    body = [[html.escape(str(cell)) for cell in row] for row in rows]
    return _html_table(str(table.title or ""), header, body, sides, bold)


def html_tally(title: str, steps: Sequence[str], tally: Tally, workflow: Workflow) -> str:
    """Return counted events as an HTML table, one column per process.

    Parameters
    ----------
    title
        Above the table.
    steps
        Titles of the lines.
    tally
        Of all processes.
    workflow
        What was run.
    """
    numbers = [np.asarray(part, float) for part in (tally.yields, np.sqrt(np.asarray(tally.variance)), tally.raw)]
    body = [
        [html.escape(step), *(_counted(*(part[s, p] for part in numbers)) for p in range(len(workflow.processes)))]
        for s, step in enumerate(steps)
    ]
    header = ["step", *(process.name for process in workflow.processes)]
    sides = ["", *[" class='right'"] * len(workflow.processes)]
    return _html_table(title, header, body, sides, [False] * len(body))


def _counted(weighted: float, uncertainty: float, raw: float) -> str:
    # two significant digits of the uncertainty, but no rounding of whole events
    digits = max(0, 1 - math.floor(math.log10(uncertainty))) if uncertainty > 0 else 1
    return f"{weighted:,.{digits}f} &plusmn; {uncertainty:,.{digits}f} <small>({raw:.0f})</small>"


def _html_table(
    title: str, header: Sequence[str], body: Sequence[Sequence[str]], sides: Sequence[str], bold: Sequence[bool]
) -> str:
    """Return a table; the cells of the body are HTML already."""
    head = "".join(f"<th{side}>{html.escape(name)}</th>" for name, side in zip(header, sides, strict=True))
    lines = [
        f"<tr{' class=bold' if strong else ''}>"
        + "".join(f"<td{side}>{cell}</td>" for cell, side in zip(row, sides, strict=True))
        + "</tr>"
        for row, strong in zip(body, bold, strict=True)
    ]
    caption = f"<caption>{html.escape(title)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>\n{chr(10).join(lines)}\n</tbody></table>"


def _figure(svg: str, caption: str) -> str:
    # as an image and not inline: the identifiers within two inline drawings could clash
    encoded = base64.b64encode(svg.encode()).decode()
    text = html.escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:image/svg+xml;base64,{encoded}"><figcaption>{text}</figcaption></figure>'
    )
