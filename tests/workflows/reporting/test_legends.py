"""Legends and texts of plots lie over no data and over no other text, whatever the plot shows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hepgrad.workflows.reporting.legends import clear_legends, leave_room_to_axes
from hepgrad.workflows.reporting.style import new_figure, plot_style

CASES = {
    "one bin": (1, 3, "flat", "process"),
    "flat": (10, 4, "flat", "process"),
    "rising": (10, 4, "rise", "process"),
    "twelve processes": (8, 12, "flat", "process"),
    "long names": (8, 3, "rise", "a process whose name is as long as a line, and has a number"),
    "one high bin": (30, 2, "spike", "process"),
}


def contents(bins, kind):
    x = np.linspace(0, 1, bins)
    return {"flat": np.full(bins, 9.0), "rise": np.exp(8 * x), "spike": 1 + 1e4 * (np.arange(bins) == 2)}[kind]


@pytest.mark.parametrize(
    ("scale", "corner", "experiment"),
    [("log", "upper right", ""), ("linear", "upper left", "ATLAS"), ("linear", "lower right", "CMS")],
)
@pytest.mark.parametrize("case", CASES)
def test_nothing_is_hidden(case, scale, corner, experiment):
    bins, number, kind, name = CASES[case]
    with plot_style(experiment):
        figure = new_figure(6, 5)
        axes = figure.subplots()
        for each in range(number):
            axes.stairs(contents(bins, kind) * (each + 1), np.arange(bins + 1.0), label=f"{name} {each}")
        middle = np.arange(bins) + 0.5
        axes.errorbar(middle, contents(bins, kind) * number, yerr=0.1, fmt="o", label="data")
        axes.text(0.04, 0.95, "after all of the cuts", transform=axes.transAxes, va="top")
        axes.set_yscale(scale)
        axes.legend(loc=corner)
        leave_room_to_axes(figure)
        figure.draw_without_rendering()
        assert axes.get_window_extent().width > 0.7 * figure.bbox.width
        figure.set_layout_engine("none")
        clear_legends(figure)
        boxes = [axes.get_legend().get_window_extent(), axes.texts[0].get_window_extent()]
        frame = axes.get_window_extent()
        for one, other in itertools.combinations(boxes, 2):
            assert not one.overlaps(other)
        for box in boxes:
            assert frame.x0 - 1 < box.x0 and box.x1 < frame.x1 + 1 and frame.y0 - 1 < box.y0 and box.y1 < frame.y1 + 1
            for left, height in enumerate(contents(bins, kind) * number):
                corners = axes.transData.transform([(left, height), (left + 1, height)])
                beside = corners[1, 0] <= box.x0 or corners[0, 0] >= box.x1
                # below another corner, histograms are behind a legend only where they reach it with a point
                assert beside or corners[0, 1] <= box.y0 or not box.contains(*corners.mean(axis=0))
                if box.y0 > frame.y0 + 0.5 * frame.height:
                    assert beside or corners[0, 1] <= box.y0


def test_what_is_free_stays():
    figure = new_figure(6, 5)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], label="line")
    axes.set_ylim(0, 3)
    legend = axes.legend(loc="upper right")
    figure.draw_without_rendering()
    clear_legends(figure)
    assert axes.get_legend() is legend
    assert axes.get_ylim() == (0, 3)
