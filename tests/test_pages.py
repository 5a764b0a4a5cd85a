"""The examples of pages about corrections and systematic uncertainties run."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"


def run(page):
    """Run the examples of a page, one after the other, and return their names."""
    names = {}
    text = (DOCS / page).read_text(encoding="utf-8")
    for source in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(source, page, "exec"), names)
    return names


def test_systematics():
    names = run("systematics.md")
    assert len(names["pdf"].rows) == 100
    assert [each.name for each in names["by_region"].nuisances] == ["pdf_sr", "pdf_cr"]


def test_corrections(shared_data, monkeypatch):
    monkeypatch.chdir(shared_data / "corrections_cms2018ul")
    names = run("corrections.md")
    found = [source.name for source in names["systematics"]]
    assert found[:3] == ["muon_id", "pileup_up_down", "btag_lf"]
    assert found[10] == "jer"
    assert len(found) == 10 + 1 + 27 + 1
