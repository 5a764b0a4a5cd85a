"""Workspaces for the tests of exchange."""

from __future__ import annotations

import pytest


def normfactor(name):
    return {"name": name, "type": "normfactor", "data": None}


def normsys(name, hi, lo):
    return {"name": name, "type": "normsys", "data": {"hi": hi, "lo": lo}}


@pytest.fixture
def search():
    """A signal and a background in two channels."""
    signal = {"name": "signal", "data": [5.0, 12.0], "modifiers": [normfactor("mu"), normsys("lumi", 1.02, 0.98)]}
    shape = {"name": "jes", "type": "histosys", "data": {"hi_data": [55.0, 61.0], "lo_data": [46.0, 58.0]}}
    stat = {"name": "mc_SR", "type": "staterror", "data": [3.0, 2.0]}
    background = {"name": "background", "data": [50.0, 60.0], "modifiers": [normsys("xsec", 1.1, 0.92), shape, stat]}
    control = {"name": "background", "data": [100.0], "modifiers": [normsys("xsec", 1.1, 0.92), normfactor("k")]}
    return {
        "channels": [
            {"name": "SR", "samples": [signal, background]},
            {"name": "CR", "samples": [control]},
        ],
        "observations": [{"name": "SR", "data": [58.0, 75.0]}, {"name": "CR", "data": [104.0]}],
        "measurements": [
            {"name": "search", "config": {"poi": "mu", "parameters": [{"name": "mu", "bounds": [[0.0, 5.0]]}]}},
            {"name": "background", "config": {"poi": "k", "parameters": []}},
        ],
        "version": "1.0.0",
    }
