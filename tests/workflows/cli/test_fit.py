"""``hepgrad fit``: the numbers of the fit, and messages for files that are no workspaces."""

from __future__ import annotations

import json
import re

import jax
import pytest

from hepgrad.analysis import from_workspace
from hepgrad.analysis.statistics.fitting import fit
from hepgrad.workflows.cli.program import main

pytestmark = pytest.mark.usefixtures("quick_compilation")

MODIFIERS = [{"name": "lumi", "type": "normsys", "data": {"hi": 1.03, "lo": 0.97}}]
SAMPLES = [
    {
        "name": "signal",
        "data": [9.0, 12.0],
        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}, *MODIFIERS],
    },
    {"name": "background", "data": [50.0, 21.0], "modifiers": MODIFIERS},
]
WORKSPACE = {
    "version": "1.0.0",
    "channels": [{"name": "sr", "samples": SAMPLES}],
    "observations": [{"name": "sr", "data": [57.0, 40.0]}],
    "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
}


@pytest.mark.thorough
@pytest.mark.parametrize("asimov", [False, True])
def test_estimate(tmp_path, capsys, asimov):
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(WORKSPACE))
    assert main(["fit", str(path), *(["--asimov"] if asimov else [])]) == 0
    told = capsys.readouterr().out
    with jax.enable_x64(True):
        model, data = from_workspace(WORKSPACE)
        best = fit(model, model.expected_data(model.initial) if asimov else data)
        index = model.index("mu")
        assert f"mu = {best.parameters[index]:.6g} +- {best.uncertainties[index]:.6g}" in told
    assert "lumi" in told
    assert ("mu = 1 +-" in told) == asimov


@pytest.mark.slow
def test_workspace_of_the_challenge(shared_data, capsys):
    assert main(["fit", str(shared_data / "agc" / "workspace_1_file_per_process.json")]) == 0
    told = capsys.readouterr().out
    assert "ttbar_norm = 0.960769 +- 0.108212, -2 ln L = 141.333534" in told
    assert told.index("PS variation") < told.index("Luminosity")


def test_mistakes_are_named(tmp_path, capsys):
    path = tmp_path / "workspace.json"
    path.write_text("{")
    assert main(["fit", str(path)]) == 2
    assert "is no workspace that can be fitted" in capsys.readouterr().err
    assert main(["fit", str(tmp_path / "nothing.json")]) == 2
    assert "nothing.json is no workspace" in capsys.readouterr().err


@pytest.mark.thorough
def test_without_a_parameter_of_interest(tmp_path, capsys):
    """What is about it is refused before anything is fitted; the fit itself needs none."""
    path = tmp_path / "workspace.json"
    without = [{"name": "a", "config": {"poi": "", "parameters": []}}]
    path.write_text(json.dumps({**WORKSPACE, "measurements": without}))
    assert main(["fit", str(path), "--limit"]) == 2
    assert "has no parameter of interest, which limit is about: choose one by `poi`" in capsys.readouterr().err
    assert main(["fit", str(path)]) == 0
    told = capsys.readouterr().out
    with jax.enable_x64(True):
        best = fit(*from_workspace(WORKSPACE))
        assert told.startswith(f"-2 ln L = {2 * best.nll:.6f}\n")
        # where there are no impacts, there is a table of the parameters
        for name, value, uncertainty in zip(("mu", "lumi"), best.parameters, best.uncertainties, strict=True):
            assert re.search(f"{name} .* {value:.6g} .* {uncertainty:.6g} ", told)
