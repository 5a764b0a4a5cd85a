"""Parts of a workflow of another kind are told with what to write, before anything is read."""

from __future__ import annotations

import dataclasses

import pytest


@pytest.mark.parametrize(
    ("part", "value", "told"),
    [
        ("parameters", {"met": 3.0}, r"parameters: expected Parameters, got .*\(dict\); write for .*Parameters\(met="),
        ("anneal", 0.5, r"anneal: expected Anneal, got 0.5 \(float\)"),
        ("layout", {"MET_pt": "met"}, r"layout: expected Layout, got .* \(dict\)"),
        ("data", 3, r"data: expected str \| pathlib.Path, got 3 \(int\)"),
        ("plots", ["MET.pt"], r"plots: number 0 is 'MET.pt' \(str\); write for instance plots=\[Channel\("),
        ("processes", "ttbar", r"processes: expected a list, got 'ttbar' \(str\)"),
        ("analysis", None, r"analysis: expected Analysis, got None \(NoneType\)"),
    ],
)
def test_parts_of_a_workflow(tiny, part, value, told):
    with pytest.raises(TypeError, match=f"workflow 'tiny': {told}"):
        dataclasses.replace(tiny.TINY, **{part: value})
