"""Attacks by web servers: whatever they answer, numbers are those of the file, or there is an error."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import uproot
from hypothesis import strategies as st

from hepgrad.workflows import InputError, read_events
from hepgrad.workflows.read.files import tree

HELPER = Path(__file__).parents[1] / "workflows" / "range_server.py"


@pytest.fixture(scope="module")
def range_server():
    specification = importlib.util.spec_from_file_location("range_server", HELPER)
    module = importlib.util.module_from_spec(specification)
    sys.modules["range_server"] = module
    specification.loader.exec_module(module)
    return module


def test_servers_that_fail_and_lie(attack, range_server, tmp_path, monkeypatch):
    monkeypatch.setattr(tree, "PAUSES", (0.0, 0.0, 0.0))
    values = np.random.default_rng(0).random(3000).astype(np.float32)
    with uproot.recreate(tmp_path / "a.root", compression=None) as file:
        events = file.mktree("Events", {"MET_pt": np.float32, "other": np.float32})
        for part in np.split(values, 3):
            events.extend({"MET_pt": part, "other": part})
    faults = st.sampled_from(["", "", "", "cut", "busy", "later", "elsewhere", *range_server.LIES])
    with range_server.serving(tmp_path) as server:

        @attack("servers", faults=st.lists(faults, max_size=6), later=st.booleans())
        def _(faults, later):
            server.faults = [""] * (3 * later) + faults
            try:
                found = read_events(server.url("a.root"), ["MET_pt"]).MET.pt
            except InputError as error:
                assert "a.root" in str(error)
                assert set(faults) - {""}
                return
            np.testing.assert_array_equal(found, values)
