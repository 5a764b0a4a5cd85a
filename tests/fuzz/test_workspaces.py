"""Workspaces of strangers: `hepgrad fit` fits them, or says in one line what is wrong with them."""

from __future__ import annotations

import json
import warnings

import pytest
from hypothesis.strategies import binary, integers, sampled_from

MODIFIERS = [
    {"name": "mu", "type": "normfactor", "data": None},
    {"name": "lumi", "type": "lumi", "data": None},
    {"name": "xsec", "type": "normsys", "data": {"hi": 1.1, "lo": 0.92}},
    {"name": "jes", "type": "histosys", "data": {"hi_data": [53.0, 23.0], "lo_data": [48.0, 18.0]}},
    {"name": "mc", "type": "staterror", "data": [2.0, 1.5]},
    {"name": "fakes", "type": "shapesys", "data": [2.0, 1.0]},
    {"name": "free", "type": "shapefactor", "data": None},
]


def workspace(kind: str) -> dict[str, object]:
    """Return a signal on a background with one kind of uncertainty."""
    of_kind = [modifier for modifier in MODIFIERS if modifier["type"] == kind]
    luminosity = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "bounds": [[0.5, 1.5]], "inits": [1.0]}
    samples = [
        {"name": "signal", "data": [5.0, 12.0], "modifiers": [MODIFIERS[0]]},
        {"name": "top", "data": [50.0, 20.0], "modifiers": of_kind},
    ]
    config = {"poi": "mu", "parameters": [luminosity] if kind == "lumi" else []}
    return {
        "channels": [{"name": "SR", "samples": samples}],
        "observations": [{"name": "SR", "data": [57.0, 30.0]}],
        "measurements": [{"name": "search", "config": config}],
        "version": "1.0.0",
    }


KINDS = sorted({modifier["type"] for modifier in MODIFIERS[1:]})


@pytest.fixture
def fit(command, fresh, quick_compilation):
    """Fit what a file holds, and return how that ended."""

    def fitted(content: bytes):
        path = fresh() / "workspace.json"
        path.write_bytes(content)
        with warnings.catch_warnings():
            # NumPy's, about numbers beyond all measure, are no errors outside of tests
            warnings.simplefilter("ignore", RuntimeWarning)
            ended = command("fit", path, "--no-impacts", "--no-compile-cache")
        assert ended.code in (0, 1, 2)
        assert ended.code != 2 or str(path) in ended.err, ended
        return ended

    return fitted


def test_workspaces(attack, fit, any_json, changed_json):
    @attack("workspaces", kind=sampled_from(KINDS), where=integers(0, 10**6), new=any_json)
    def _(kind, where, new):
        fit(json.dumps(changed_json(workspace(kind), where, new)).encode())

    @attack("workspaces", kind=sampled_from(KINDS), where=integers(0, 10**6), piece=binary(max_size=4))
    def _(kind, where, piece):
        content = bytearray(json.dumps(workspace(kind)).encode())
        at = where % len(content)
        content[at : at + len(piece) or None] = piece
        fit(bytes(content))
