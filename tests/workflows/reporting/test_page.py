"""The report: complete, of one piece, and without a trace in global settings."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
from rich.table import Table

from hepgrad.analysis import Channel, Counts, Outcome, Parameter, Parameters, Regular, Variable
from hepgrad.workflows import RunFolder
from hepgrad.workflows.reporting.channel import event_label, plot_channel
from hepgrad.workflows.reporting.history import plot_objective, plot_parameters
from hepgrad.workflows.reporting.overtraining import overtraining_table
from hepgrad.workflows.reporting.page import channel_plots, history_plots, overtraining_plots
from hepgrad.workflows.reporting.style import plot_style
from hepgrad.workflows.reporting.subject import Subject
from hepgrad.workflows.reporting.tables import html_table, label_html
from hepgrad.workflows.results.observation import Observation

pytestmark = pytest.mark.thorough

# observed events with the starting and with the optimised cuts
START, OPTIMUM = (900.0, 4.0, 30.0, 0.0), (700.0, 5.0, 20.0, 1.0)


class Balanced(HTMLParser):
    """Checks that every element is closed in order, and collects tables and references."""

    VOID = frozenset({"meta", "img"})

    def __init__(self):
        super().__init__()
        self.open, self.references, self.rows, self.text = [], [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        self.references += [value for name, value in attributes if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if "td" in self.open:
            self.rows[-1].append(data)


@pytest.fixture(scope="module")
def page(finished):
    parser = Balanced()
    parser.feed((finished[2] / "report.html").read_text(encoding="utf-8"))
    parser.close()
    assert not parser.open
    return parser


def test_page_needs_no_other_file(page):
    images = [reference for reference in page.references if not reference.startswith("#")]
    assert len(images) == 5
    assert all(reference.startswith("data:image/svg+xml;base64,") for reference in images)


def test_page_is_escaped(page, finished):
    assert "A tiny <search>" in page.text
    assert "<search>" not in (finished[2] / "report.html").read_text()


def test_page_tells_the_result(page, finished):
    _, result, _ = finished
    rows = [row for row in page.rows if row]
    a, b = result.start.hard_held_out.objective, result.optimum.hard_held_out.objective
    assert ["hard", "held-out", f"{a:.3f}", f"{b:.3f}", f"{b / a:.3f} x"] in rows
    met = next(row for row in rows if row[0] == "met")
    assert met[1:] == ["20", f"{float(result.optimum.parameters['met']):.4g}", "10 to 100", "GeV"]
    # start and optimum, hard and soft
    assert [row[0] for row in rows].count("missing momentum") == 4
    assert any(f"{a:.2f} → {b:.2f}" in html.unescape(text) for text in page.text)


def test_plots_change_no_global_setting(finished):
    workflow, result, _ = finished
    subject = Subject.of(workflow)
    before, backend = dict(matplotlib.rcParams), matplotlib.get_backend()
    with plot_style("CMS"):
        for make in (channel_plots, history_plots, overtraining_plots):
            for plot in make(result, subject):
                plot.draw()
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.get_backend() == backend


def test_channel_plot_shows_what_was_counted(finished):
    workflow, result, _ = finished
    with plot_style():
        figure = plot_channel(result, Subject.of(workflow), workflow.analysis.channels[0])
    before, after, *_ = figure.axes
    assert before.get_ylabel() == "Events / 150 GeV"
    legend = [text.get_text() for text in after.get_legend().get_texts()]
    assert legend == ["S", r"$t\bar{t}$", "multijet", "simulated statistics"]
    for axes, point in ((before, result.start), (after, result.optimum)):
        patches = {patch.get_label(): patch.get_data() for patch in axes.patches}
        counts = workflow.analysis.channels[0].axis.select(point.hard_held_out.histograms["ht"])
        np.testing.assert_array_equal(patches["S"].values, counts.sumw[0])
        backgrounds = counts.sumw[1] + counts.sumw[2]
        stacked = np.max([patches[name].values for name in (r"$t\bar{t}$", "multijet")], axis=0)
        np.testing.assert_allclose(stacked, backgrounds, rtol=1e-6)
        band = patches["simulated statistics"]
        spread = np.sqrt(counts.sumw2[1] + counts.sumw2[2])
        np.testing.assert_allclose(band.values - backgrounds, spread, rtol=1e-4, atol=1e-4)


def test_observed_events_are_drawn_with_their_ratio_to_the_backgrounds(finished):
    workflow, result, _ = finished
    channel = workflow.analysis.channels[0]
    before, after = (Counts(jnp.array([0.0, *seen, 0.0]), jnp.array([0.0, *seen, 0.0])) for seen in (START, OPTIMUM))
    observation = Observation({"ht": before}, {"ht": after}, None, None)
    with plot_style():
        figure = plot_channel(result, Subject.of(workflow), channel, observation)
    *tops, left, right = figure.axes
    assert left.get_ylabel() == "data / bkg."
    points = (result.start, result.optimum)
    for top, bottom, seen, point in zip(tops, (left, right), (START, OPTIMUM), points, strict=True):
        assert top.get_title(loc="left") == "Data and prediction"
        assert "data" in top.get_legend_handles_labels()[1]
        np.testing.assert_array_equal(top.containers[0][0].get_ydata(), seen)
        background = np.asarray(channel.axis.select(point.hard_held_out.histograms["ht"]).sumw)[1:].sum(axis=0)
        ratio = bottom.containers[0][0].get_ydata()
        np.testing.assert_allclose(ratio[background > 0], (np.array(seen) / background)[background > 0], rtol=1e-6)
    # the central interval of 68 % for four events
    segment = tops[0].containers[0][2][0].get_segments()[1]
    np.testing.assert_allclose(segment[:, 1], [2.086, 7.163], atol=2e-3)


def test_history_plots_show_every_step(finished):
    workflow, result, _ = finished
    with plot_style():
        objective, parameters = plot_objective(result, Subject.of(workflow)), plot_parameters(result)
    soft = objective.axes[0].lines[0]
    np.testing.assert_array_equal(soft.get_ydata(), [record.objective for record in result.history])
    assert objective.axes[0].get_ylabel() == "Expected discovery significance"
    assert [axes.get_title(loc="left") for axes in parameters.axes] == ["jet $p_T$ > [GeV]", "met [GeV]", "ht [GeV]"]


def test_every_element_of_an_array_has_a_panel_with_a_title():
    pt = Parameter(np.array([30.0, 20.0]), bounds=(10, 60), label="jet $p_T$", unit="GeV")
    parameters = Parameters(pt=pt, met=Parameter(20.0, bounds=(0, 60)))
    point, steps = SimpleNamespace(parameters=parameters), [SimpleNamespace(step=1, values=parameters.numbers())]
    result = SimpleNamespace(start=point, optimum=point, history=steps, best=SimpleNamespace(best_step=1))
    with plot_style():
        titles = [axes.get_title() + axes.get_title(loc="left") for axes in plot_parameters(result).axes]
    assert titles == ["jet $p_T$[0] [GeV]", "jet $p_T$[1] [GeV]", "met"]


def test_a_channel_without_events_can_be_drawn(finished, tmp_path):
    """Cuts that nothing passes: the plot is empty, not an error."""
    import dataclasses

    import jax

    workflow, result, _ = finished
    empty = jax.tree.map(lambda x: 0 * x, result.optimum.hard_held_out.histograms)
    nothing = dataclasses.replace(result.optimum.hard_held_out, histograms=empty)
    point = dataclasses.replace(result.optimum, hard_held_out=nothing)
    result = dataclasses.replace(result, start=point, optimum=point)
    folder, subject = RunFolder.create(tmp_path / "run"), Subject.of(workflow)
    channel_plots(result, subject)[0].save(folder)
    overtraining_plots(result, subject)[0].save(folder)
    assert overtraining_table(result, subject).row_count == 0


def test_rich_tables_become_html():
    table = Table(title="A & B")
    table.add_column("name")
    table.add_column("number", justify="right")
    table.add_row("a < b", "1", style="bold")
    text = html_table(table)
    assert "<caption>A &amp; B</caption>" in text
    assert re.search(r"<tr class=bold><td>a &lt; b</td><td class='right'>1</td></tr>", text)


def test_selected_events_are_told_by_channel_and_in_total():
    counts = {name: Counts(np.array([[0.0, n, 1.0]]), np.zeros((1, 3))) for name, n in {"sr": 4.0, "cr": 7.0}.items()}
    told = Outcome(1.0, counts, {"b": 5.0}).selected
    assert told == {"sr": {"b": 5.0}, "cr": {"b": 8.0}, "sum of channels": {"b": 13.0}}


def test_labels_stand_for_processes():
    table = Table("process", "zjets")
    table.add_row("zjets", "1")
    text = html_table(table, {"zjets": label_html(r"$Z\to\tau\tau$", "zjets")})
    assert "<td>Z→ττ</td>" in text
    assert "<th>process</th><th>Z→ττ</th>" in text


def test_events_are_told_with_the_width_of_a_bin_where_there_is_one():
    axes = [Regular(4, 0, 80, unit="GeV"), Regular(5, -0.5, 4.5), Variable([0, 1, 5]), Regular(5, 0, 1)]
    told = [event_label(Channel("c", "x", axis)) for axis in axes]
    assert told == ["Events / 20 GeV", "Events", "Events", "Events / 0.2"]
