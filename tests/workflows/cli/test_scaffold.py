"""The script that `hepgrad new` writes: it runs as it is."""

from __future__ import annotations

import json

import pytest

from hepgrad.workflows.cli.program import main
from hepgrad.workflows.cli.scaffold import new_analysis
from hepgrad.workflows.errors import InputError


@pytest.mark.thorough
def test_it_runs_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "my_search"]) == 0
    assert "hepgrad run my_search:WORKFLOW" in capsys.readouterr().out
    assert main(["run", "my_search:WORKFLOW", "--steps", "20"]) == 0
    facts = json.loads((tmp_path / "hepgrad-runs" / "my_search" / "run.json").read_text())
    assert facts["status"] == "finished"
    assert "THIS_MODULE" not in (tmp_path / "my_search.py").read_text()
    printed = capsys.readouterr().out
    assert "Expected discovery significance" in printed


def test_mistakes_are_named(tmp_path):
    path = new_analysis(tmp_path / "search.py")
    with pytest.raises(InputError, match=r"there is a file .*search\.py already"):
        new_analysis(path)
    with pytest.raises(InputError, match="'my-search' cannot be the name of a Python module"):
        new_analysis("my-search")
    with pytest.raises(InputError, match=r"there is no folder .*nowhere; make it first"):
        new_analysis(tmp_path / "nowhere" / "search")
