"""Systematic uncertainties in the report: the tables and the plot say what the run folder says."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from hepgrad.workflows.reporting.style import plot_style
from hepgrad.workflows.reporting.systematics import systematics_plots, systematics_tables
from hepgrad.workflows.results.inference_files import CUT_OFF, FITTED, IMPACTS, impact_rows


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "systematics.csv").write_text(
        "point,channel,process,source,type,yield,down,up\n"
        "start,low,top,jes,histosys,10,-0.5,0.5\n"
        "optimum,low,top,jes,histosys,10,-0.1,0.2\n"
        "optimum,high,top,jes,histosys,30,0.1,0.0\n"
        "optimum,low,rest,lumi,normsys,5,-0.026,0.026\n"
    )
    (tmp_path / "impacts.csv").write_text(
        "parameter,value,uncertainty,pull,constraint,prefit_down,prefit_up,postfit_down,postfit_up\n"
        "mu,1,2,0,0,0,0,0,0\njes,0.5,0.8,0.5,0.8,-1.2,1.1,-1.0,0.9\nfree_norm,1.1,0.1,0,0,0,0,-0.3,0.3\n"
    )
    parts = {"parameter": "mu", "estimate": 1.0, "total": 2.0, "statistical": 1.5, "sources": {"jes": 1.0, "lumi": 1.7}}
    (tmp_path / "uncertainty.json").write_text(json.dumps(parts))
    return tmp_path


def cells(table):
    return [list(row) for row in zip(*(column.cells for column in table.columns), strict=True)]


def test_tables(folder):
    sources, parts = systematics_tables(folder)
    # over both channels: (-1 + 3) / 40 and (2 + 0) / 40
    assert cells(sources) == [["jes", "+5.0%, +5.0%", ""], ["lumi", "", "-2.6%, +2.6%"]]
    assert [column.header for column in sources.columns] == ["source", "top", "rest"]
    assert cells(parts) == [["all", "2"], ["lumi", "1.7"], ["statistical", "1.5"], ["jes", "1"]]


def test_plot(folder):
    (plot,) = systematics_plots(folder)
    with plot_style():
        left, right = plot.draw().axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["free_norm", "jes"]
    # a parameter without a measurement of its own is not pulled
    (points,) = left.containers
    np.testing.assert_allclose(points[0].get_xdata(), [0.5])
    widths = [[bar.get_width() for bar in bars] for bars in right.containers]
    np.testing.assert_allclose(widths, [[0, 1.1], [0, -1.2], [0.3, 0.9], [-0.3, -1.0]])
    assert right.get_xlabel() == "change of mu"


def test_impacts_that_bounds_cut_off_are_marked(folder):
    """At its bounds of 0 and 10 the strength of 1 cannot fall by more than 1, nor rise by more than 9."""
    best = SimpleNamespace(parameters=np.array([1.0, 0.5]), uncertainties=np.array([2.0, 0.8]))
    moved = {"prefit_down": [0, -1.0], "prefit_up": [0, 1.1], "postfit_down": [0, -0.9], "postfit_up": [0, 0.9]}
    told = {name: np.array(values) for name, values in moved.items()}
    told |= {"pull": np.zeros(2), "constraint": np.ones(2), "converged": np.ones(2, bool)}
    found = SimpleNamespace(best=best, names=["mu", "jes"], ranking=lambda: ["jes"], **told)
    columns = ("parameter", *FITTED, CUT_OFF, *IMPACTS)
    rows = [dict(zip(columns, row, strict=True)) for row in impact_rows(found, "mu", (0.0, 10.0))]
    assert [row[CUT_OFF] for row in rows] == ["prefit_down", ""]
    (folder / "impacts.csv").write_text(
        "\n".join([",".join(columns), *(",".join(map(str, row.values())) for row in rows)])
    )
    (plot,) = systematics_plots(folder)
    assert "Marked with a star: impacts of jes that the bounds of mu cut off" in plot.caption
    with plot_style():
        left, _ = plot.draw().axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["jes *"]


def test_a_run_without_a_likelihood_has_neither(tmp_path):
    assert systematics_tables(tmp_path) == []
    assert systematics_plots(tmp_path) == []
