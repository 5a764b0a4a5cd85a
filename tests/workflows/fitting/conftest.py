"""A search with every kind of modifier that people use, as a file, and what `fit` says about it."""

from __future__ import annotations

import json

import pytest


def normsys(name, hi, lo):
    return {"name": name, "type": "normsys", "data": {"hi": hi, "lo": lo}}


def normfactor(name):
    return {"name": name, "type": "normfactor", "data": None}


def search():
    """Return a workspace with an excess, two channels and three samples."""
    shape = {"name": "jes", "type": "histosys", "data": {"hi_data": [53.0, 23.0], "lo_data": [48.0, 18.0]}}
    signal = [normfactor("mu"), normsys("lumi", 1.02, 0.98), {"name": "mc", "type": "staterror", "data": [0.3, 0.4]}]
    top = [normsys("xsec", 1.1, 0.92), shape, {"name": "mc", "type": "staterror", "data": [2.0, 1.5]}]
    fakes = [normfactor("k"), {"name": "fakes", "type": "shapesys", "data": [2.0, 1.0]}]
    samples = [
        {"name": "signal", "data": [5.0, 12.0], "modifiers": signal},
        {"name": "top", "data": [50.0, 20.0], "modifiers": top},
        {"name": "wjets", "data": [15.0, 8.0], "modifiers": fakes},
    ]
    control = [
        {"name": "top", "data": [100.0], "modifiers": [normsys("xsec", 1.1, 0.92)]},
        {"name": "wjets", "data": [300.0], "modifiers": [normfactor("k")]},
    ]
    return {
        "channels": [{"name": "SR", "samples": samples}, {"name": "CR", "samples": control}],
        "observations": [{"name": "SR", "data": [77.0, 49.0]}, {"name": "CR", "data": [415.0]}],
        "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


@pytest.fixture(scope="session")
def workspace():
    return search()


@pytest.fixture(scope="session")
def file(workspace, tmp_path_factory):
    path = tmp_path_factory.mktemp("likelihood") / "workspace.json"
    path.write_text(json.dumps(workspace))
    return path


@pytest.fixture(scope="session")
def result(file):
    """Everything that `fit` computes, once for all tests."""
    import jax

    from hepgrad.workflows import fit
    from hepgrad.workflows.fitting.likelihood_fit import QUANTITIES

    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    told = []
    found = fit(file, quantities=QUANTITIES, points=5, watch=lambda *progress: told.append(progress))
    jax.config.update("jax_disable_most_optimizations", before)
    return found, told
