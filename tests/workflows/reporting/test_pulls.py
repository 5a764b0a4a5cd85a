"""Pulls in the report: the table and the plot say what ``pulls.csv`` says."""

from __future__ import annotations

import numpy as np
import pytest

from hepgrad.workflows.reporting.pulls import pulls_plots, pulls_tables
from hepgrad.workflows.reporting.style import plot_style

HEADER = "fit,parameter,value,uncertainty,pull,constraint,state\n"
ASIMOV = "asimov,mu,1,0.5,,,free\nasimov,jes,0,0.8,-1e-9,0.8,free\nasimov,lumi,0,1,0,1,free\n"
OBSERVED = (
    "observed,mu,0,0.25,,,at its bound\nobserved,jes,1.5,0.7,1.5,0.7,free\nobserved,lumi,-0.2,0.9,-0.2,0.9,free\n"
    "observed,k,1,0,,,fixed\n"
)


def cells(table):
    return [list(row) for row in zip(*(column.cells for column in table.columns), strict=True)]


def test_expected(tmp_path):
    (tmp_path / "pulls.csv").write_text(HEADER + ASIMOV)
    (table,) = pulls_tables(tmp_path)
    assert table.title.endswith("expected (Asimov data)")
    assert cells(table) == [
        ["mu", "1.000", "0.500", "", ""],
        ["jes", "0.000", "0.800", "+0.00", "0.80"],
        ["lumi", "0.000", "1.000", "+0.00", "1.00"],
    ]
    (plot,) = pulls_plots(tmp_path)
    assert "Asimov data, hence at 0" in plot.caption


def test_observed_beside_expected(tmp_path):
    (tmp_path / "pulls.csv").write_text(HEADER + ASIMOV + OBSERVED)
    (table,) = pulls_tables(tmp_path)
    assert table.title.endswith("observed")
    assert cells(table)[:2] == [
        ["mu", "0.000", "0.250, at its bound", "", ""],
        ["jes", "1.500", "0.700", "+1.50", "0.70"],
    ]
    assert cells(table)[-1] == ["k", "1.000", "fixed", "", ""]
    (plot,) = pulls_plots(tmp_path)
    with plot_style():
        (axes,) = plot.draw().axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["lumi", "jes"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["expected (Asimov data)", "observed"]
    for container, pull, constraint in zip(axes.containers, ([0, 0], [1.5, -0.2]), ([0.8, 1], [0.7, 0.9]), strict=True):
        points, _, (bars,) = container
        np.testing.assert_allclose(points.get_xdata(), pull, atol=1e-8)
        lengths = [segment[1, 0] - segment[0, 0] for segment in bars.get_segments()]
        np.testing.assert_allclose(lengths, 2 * np.array(constraint))
    low, high = axes.get_xlim()
    assert low == pytest.approx(-high)
    assert high > 2.2


def test_a_run_of_before_said_nothing_of_bounds(tmp_path):
    (tmp_path / "pulls.csv").write_text((HEADER + ASIMOV).replace(",state", "").replace(",free", ""))
    (table,) = pulls_tables(tmp_path)
    assert cells(table)[0] == ["mu", "1.000", "0.500", "", ""]


def test_a_run_without_a_likelihood_has_none(tmp_path):
    assert pulls_tables(tmp_path) == []
    assert pulls_plots(tmp_path) == []
    (tmp_path / "pulls.csv").write_text(HEADER + "asimov,mu,1,0.5,,,free\n")
    assert pulls_plots(tmp_path) == []
