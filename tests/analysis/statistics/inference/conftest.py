"""Small searches, and the same in pyhf with a minimiser that converges."""

from __future__ import annotations

import json

import numpy as np
import pyhf
import pytest


def _search(seed):
    """Return a workspace of one structure: a signal region, a control region, and uncertainties of every kind."""
    rng = np.random.default_rng(seed)

    def around(values, spread):
        return (np.asarray(values) * rng.uniform(1 - spread, 1 + spread, len(values))).tolist()

    signal, background, other = (around(y, 0.3) for y in ([4.0, 9.0, 14.0], [80.0, 50.0, 25.0], [9.0, 12.0, 8.0]))
    control, minor = around([300.0, 200.0], 0.3), around([20.0, 15.0], 0.3)
    jes = {"name": "jes", "type": "histosys"}
    lumi = {"name": "lumi", "type": "normsys", "data": {"hi": 1.03, "lo": 0.97}}
    free = {"name": "k", "type": "normfactor", "data": None}

    def shifted(yields):
        return {**jes, "data": {"hi_data": around(yields, 0.1), "lo_data": around(yields, 0.1)}}

    def uncertain(yields, relative):
        return [relative * y for y in yields]

    signal_modifiers = [{"name": "mu", "type": "normfactor", "data": None}, lumi, shifted(signal)]
    background_modifiers = [free, shifted(background), {"name": "mc", "type": "staterror", "data": [4.0, 3.0, 2.0]}]
    other_modifiers = [lumi, {"name": "mc", "type": "staterror", "data": [1.0, 1.5, 1.0]}]
    other_modifiers.append({"name": "xsec", "type": "normsys", "data": {"hi": 1.2, "lo": 0.85}})
    minor_modifiers = [lumi, {"name": "model", "type": "shapesys", "data": uncertain(minor, 0.3)}]
    return {
        "channels": [
            {
                "name": "SR",
                "samples": [
                    {"name": "signal", "data": signal, "modifiers": signal_modifiers},
                    {"name": "background", "data": background, "modifiers": background_modifiers},
                    {"name": "other", "data": other, "modifiers": other_modifiers},
                ],
            },
            {
                "name": "CR",
                "samples": [
                    {"name": "background", "data": control, "modifiers": [free, shifted(control)]},
                    {"name": "minor", "data": minor, "modifiers": minor_modifiers},
                ],
            },
        ],
        "observations": [
            {"name": "SR", "data": rng.poisson(np.add(np.add(background, other), 0.6 * np.asarray(signal))).tolist()},
            {"name": "CR", "data": rng.poisson(np.add(control, minor)).tolist()},
        ],
        "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


@pytest.fixture
def search():
    """Return a function from a seed to a workspace; all have one structure, so everything is compiled once."""
    return _search


@pytest.fixture
def tutorial():
    """Return the workspace of pyhf's tutorial, uncorrelated background."""
    signal = {"name": "signal", "data": [12.0, 11.0]}
    background = {"name": "background", "data": [50.0, 52.0]}
    signal["modifiers"] = [{"name": "mu", "type": "normfactor", "data": None}]
    background["modifiers"] = [{"name": "uncorr_bkguncrt", "type": "shapesys", "data": [3.0, 7.0]}]
    return {
        "channels": [{"name": "singlechannel", "samples": [signal, background]}],
        "observations": [{"name": "singlechannel", "data": [51.0, 48.0]}],
        "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


@pytest.fixture
def agc(x64, shared_data):
    """Return the workspace of the Analysis Grand Challenge, or skip the test."""
    return json.loads((shared_data / "agc" / "workspace_1_file_per_process.json").read_text(encoding="utf-8"))


@pytest.fixture
def in_pyhf():
    """Return a function from a workspace to pyhf's model and data; pyhf's fits are made to converge during a test."""
    before = pyhf.get_backend()
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-12))

    def load(workspace):
        config = workspace["measurements"][0]["config"]
        spec = {"channels": workspace["channels"], "parameters": config["parameters"]}
        model = pyhf.Model(spec, poi_name=config["poi"], validate=False)
        observed = {each["name"]: each["data"] for each in workspace["observations"]}
        main = [count for channel in model.config.channels for count in observed[channel]]
        return model, [*main, *model.config.auxdata]

    yield load
    pyhf.set_backend(*before)
