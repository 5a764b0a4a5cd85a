"""The report as one HTML page without references to other files, made of what the run folder holds."""

from __future__ import annotations

import html
import json
import math
import warnings
from collections.abc import Iterable
from functools import partial
from string import Template
from typing import Any

from hepgrad.analysis import Cutflow, Result
from hepgrad.analysis.optimisation.result import CROSS_FITTED

from ..errors import InputWarning
from ..messages.terminal import visible
from ..results.file_names import REPORT
from ..results.observation import Observation
from ..results.run_files import points
from ..results.run_folder import RunFolder
from ..results.stored_result import StoredResult
from .channel import channel_numbers, plot_channel
from .control import control_plots
from .gallery import Gallery
from .history import plot_objective, plot_parameters
from .overtraining import overtraining_numbers, overtraining_table, plot_overtraining
from .slopes import slopes_table
from .stability import stability_plots, stability_tables, stored_stability
from .style import Plot, luminosity_text
from .subject import Subject
from .systematics import systematics_plots, systematics_tables
from .tables import as_html, html_table, html_tally, label_html

POINT_TITLES = {"start": "Starting cuts", "optimum": "Optimised cuts"}

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin-bottom: .2rem; }
h2 { font-size: 1.25rem; margin-top: 2.5rem; padding-bottom: .2rem; border-bottom: 1px solid #d0d7de; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: 1rem 0; }
a { color: #0969da; text-decoration: none; }
.facts { color: #57606a; margin-top: 0; }
.headline { font-size: 1.15rem; background: #f6f8fa; border-left: 4px solid #bd1f01; padding: .8rem 1rem; }
.tables { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; align-items: flex-start; }
.wide { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #e4e8ec; text-align: left; white-space: nowrap; }
th { border-bottom: 2px solid #8c959f; }
.right { text-align: right; }
.bold td { font-weight: 600; }
small { color: #57606a; }
figure { margin: 1rem 0 2rem; }
figure img { max-width: 100%; display: block; }
figcaption { color: #57606a; max-width: 50rem; margin-top: .5rem; }
summary { cursor: pointer; }
pre { background: #f6f8fa; padding: 1rem; overflow-x: auto; font-size: .85rem; }
@media (max-width: 40rem) {
  body { margin: 1rem auto; }
  th, td { padding: .2rem .45rem; font-size: .85rem; }
  /* a plot with several panels is read by moving it sideways */
  figure .wide img { max-width: none; width: max(100%, var(--readable)); }
}
</style>
</head>
<body>
<h1>$title</h1>
<p class="facts">$facts</p>
<p class="headline">$headline</p>
<nav>$links</nav>
$sections
</body>
</html>
""")

COUNTING = (
    "expected events &plusmn; uncertainty from the simulated statistics, and in brackets the number "
    "of simulated events. Soft cuts, of the width of the last step, count an event with the probability that it passes."
)
MIDDLE = " This is the fold whose cuts are closest to those of all others."
LEFT_OUT = (
    "The same events if one selection is left out: what it removes that no other one does. In the first line, all are "
    "made."
)
OVERTRAINING = (
    "If cuts were tuned to single training events, these would look different from events that the optimiser never "
    "saw. Both halves are normalised; a p-value is the probability of a larger difference by chance. It compares bins "
    "that hold ten effective events of both: neighbours with fewer are merged, and what differs among them is not seen."
)


def write_report(folder: RunFolder, facts: dict[str, Any]) -> None:
    """Write the plots and ``report.html`` of what a run folder holds.

    A plot that fails, or a label that is no TeX, costs no more than itself: the page says so in its place.

    Parameters
    ----------
    folder
        With the results of a run, and what `Subject.write` wrote.
    facts
        What it takes to repeat the run, as in ``run.json``.

    Raises
    ------
    InputError
        When a file is missing, or holds something else.

    Warns
    -----
    InputWarning
        Of what could not be drawn.
    """
    subject, stored = Subject.read(folder.path), StoredResult.read(folder.path)
    result, gallery = stored.result, Gallery(folder, subject.experiment)
    drawn = gallery.drawn
    observation = stored.observation
    tables = [*result.tables(), slopes_table(result), *([] if observation is None else observation.tables())]
    flows = _flows(result, stored)
    labels = {process.name: label_html(process.label, process.name) for process in subject.processes}
    moved = stored_stability(folder.path, result.start.parameters)
    # heading, and what is below it; an empty section is left out
    sections = {
        "Result": _paragraphs([f"{stored.improvement}.", *_fits(result), *subject.notes])
        + _side_by_side(html_table(table, labels) for table in tables),
        "Plots": drawn(channel_plots(result, subject, observation)),
        "Control plots": drawn(control_plots(folder.path, subject)),
        "Convergence": drawn(history_plots(result, subject)),
        # the events of all folds are the same ones: their difference from those trained on stands in the result
        "Robustness": _side_by_side(map(html_table, stability_tables(moved))) + drawn(stability_plots(moved)),
        "Overtraining": ""
        if result.folds
        else f"<p>{OVERTRAINING}</p>\n"
        + html_table(overtraining_table(result, subject))
        + drawn(overtraining_plots(result, subject)),
        "Systematic uncertainties": _side_by_side(
            html_table(table, labels) for table in systematics_tables(folder.path)
        )
        + drawn(systematics_plots(folder.path)),
        "Cutflow": f"<p>{_events(result).capitalize()}: {COUNTING}</p>\n"
        + _side_by_side(html_tally(title, flow.steps, flow, list(labels.values())) for title, flow in flows.items()),
        "N − 1": f"<p>{LEFT_OUT}</p>\n"
        + _side_by_side(
            html_tally(
                title,
                ["all selections", *(f"without: {s}" for s in flow.steps[1:])],
                flow.n_minus_1,
                [*labels.values()],
            )
            for title, flow in flows.items()
        ),
        "Provenance": "<details><summary>Settings, data and versions</summary>"
        f"<pre>{html.escape(json.dumps(facts, indent=2))}</pre></details>",
    }
    sections = {heading: text for heading, text in sections.items() if text}
    page = PAGE.substitute(
        title=html.escape(subject.title),
        facts=html.escape(" · ".join(_facts(subject, facts))),
        headline=_headline(result),
        links="\n".join(f'<a href="#{_anchor(heading)}">{heading}</a>' for heading in sections),
        sections="\n".join(f'<h2 id="{_anchor(name)}">{name}</h2>\n{text}' for name, text in sections.items()),
    )
    folder.write_text(REPORT, visible(page))
    for problem in gallery.problems:
        warnings.warn(problem, InputWarning, stacklevel=2)


def _facts(subject: Subject, facts: dict[str, Any]) -> list[str]:
    return [
        f"{' '.join(luminosity_text(subject.luminosity))}⁻¹ at {subject.energy:g} TeV",
        f"{facts['steps']} steps in {facts['seconds']} s",
        f"finished {facts['finished']}",
        f"hepgrad {facts['versions']['hepgrad']}",
    ]


def _headline(result: Result) -> str:
    start, optimum = (result.merit.text(point.hard_held_out.objective, ".2f") for point in points(result).values())
    gain = "" if math.isnan(result.gain) else f", {result.gain:.2f} times better"
    events = CROSS_FITTED if result.folds else "on events that the optimiser never saw"
    return (
        f"{html.escape(result.merit.title)} with hard cuts{',' * bool(result.folds)} {events}: "
        f"<b>{start} &rarr; {optimum}</b>{gain}."
    )


def _events(result: Result) -> str:
    return "all events, each with the cuts of its fold" if result.folds else "held-out events"


def _fits(result: Result) -> list[str]:
    """Return a sentence about fits that failed, if any did."""
    if not result.fits.failed:
        return []
    return [f"{result.fits}, of all evaluations of the optimisation: no number that rests on one of them is told."]


def _flows(result: Result, stored: StoredResult) -> dict[str, Cutflow]:
    """Return the cutflows by title."""
    flows = {}
    for name, point in points(result).items():
        flows[f"{POINT_TITLES[name]}, hard"] = point.cutflow
        flows[f"{POINT_TITLES[name]}, soft"] = stored.soft_cutflows[name]
    return flows


def channel_plots(result: Result, subject: Subject, observation: Observation | None = None) -> list[Plot]:
    """Return the plots of all channels."""
    below = "" if observation is None else " Points are the observed events; below, their ratio to all backgrounds."
    return [
        Plot(
            channel.name,
            f"{channel.name}, before and after: hard cuts, {_events(result)}. Backgrounds are stacked, the signal is "
            f"drawn on its own, the hatched band is the uncertainty from the number of simulated events.{below}"
            + (" The outermost bins hold the under- and overflow." if channel.axis.flow == "fold" else ""),
            partial(plot_channel, result, subject, channel, observation),
            partial(channel_numbers, result, subject, channel, observation),
        )
        for channel in subject.channels
    ]


def history_plots(result: Result, subject: Subject) -> list[Plot]:
    """Return the plots of the objective and of the parameters against the step."""
    return [
        Plot(
            "objective",
            "The objective of the optimiser (line) against the step, the same with hard cuts (points), and the width "
            "of the soft cuts relative to where it starts. The result is the best of the points; held-out events "
            f"choose nothing.{MIDDLE if result.folds else ''}",
            lambda: plot_objective(result, subject),
        ),
        Plot(
            "parameters",
            "Every free parameter against the step. Dashed: where it started; star: the result; grey: out of bounds."
            f"{MIDDLE if result.folds else ''}",
            lambda: plot_parameters(result),
        ),
    ]


def overtraining_plots(result: Result, subject: Subject) -> list[Plot]:
    """Return the plots of training against held-out events, one for each channel."""
    return [
        Plot(
            f"overtraining-{channel.name}",
            f"{channel.name}: training events (filled, hatched: their statistical uncertainty) against held-out events "
            "(points), hard cuts, normalised.",
            partial(plot_overtraining, result, subject, channel),
            partial(overtraining_numbers, result, subject, channel),
        )
        for channel in subject.channels
    ]


def _paragraphs(notes: Iterable[str]) -> str:
    return "\n".join(f"<p>{as_html(note)}</p>" for note in notes)


def _side_by_side(tables: Iterable[str]) -> str:
    together = "\n".join(tables)
    return f'<div class="tables">{together}</div>\n' if together else ""


def _anchor(heading: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in heading.lower())
