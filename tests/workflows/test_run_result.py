"""What a run returns to a notebook: tables, plots and the report."""

from __future__ import annotations

import html

import pytest
from matplotlib.figure import Figure

from hepgrad.workflows import InputError, RunFolder


def test_it_shows_itself(finished):
    _, result, folder = finished
    assert repr(result).startswith("Result(")
    assert result.folder == folder
    assert "Selected events, hard, held-out" in result._repr_html_()
    assert repr(RunFolder.open(folder)).endswith(
        f"finished, {sum(path.is_file() for path in folder.rglob('*'))} files)"
    )
    assert "<td" in RunFolder.open(folder)._repr_html_()


def test_plots_and_report(finished):
    _, result, folder = finished
    assert isinstance(result.plot(), Figure)
    assert result.plot("ht").axes[0].get_yscale() == "log"
    with pytest.raises(InputError, match="there is no channel 'mass'; there are ht"):
        result.plot("mass")
    page = result.report()
    assert page.path == folder / "report.html"
    assert html.escape("<title>") in page._repr_html_()
