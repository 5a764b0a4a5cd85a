"""The statistical half of the top-pair cross-section on the histograms of the Analysis Grand Challenge."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from hepgrad.analysis import from_workspace
from hepgrad.analysis.statistics.fitting import fit
from hepgrad.analysis.statistics.objectives import Sigma
from hepgrad.workflows.analyses.ttbar_agc import reference_likelihood
from hepgrad.workflows.errors import InputError

pytestmark = pytest.mark.usefixtures("quick_compilation")

# what the workspace of the challenge calls them
SOURCES = {
    "ttbar_ME_var": "ME variation",
    "ttbar_PS_var": "PS variation",
    "ttbar_scale": "ttbar scale variations",
    "pt_scale": "Jet energy scale",
    "pt_res": "Jet energy resolution",
    "wjets_scale_var": "W+jets scale variations",
    "lumi": "Luminosity",
    **{f"btag_var_{i}": f"b-tag NP {i + 1}" for i in range(4)},
}


@pytest.mark.thorough
def test_statistical_half_on_the_challenges_histograms(shared_data, x64):
    """The numbers of the workspace that the challenge's tools make, but for our floor of the simulated statistics."""
    folder = shared_data / "agc"
    model, data = reference_likelihood(folder / "histos_1_file_per_process.json", folder / "nanoaod_inputs.json")
    workspace = json.loads((folder / "workspace_1_file_per_process.json").read_text())
    theirs, observed = from_workspace(workspace)
    np.testing.assert_array_equal(model.split(data)[0], theirs.split(observed)[0])
    ours, expected = (m.expected_actualdata(m.initial) for m in (model, theirs))
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    # every source moves every bin as theirs does
    for name, their_name in SOURCES.items():
        for alpha in (-1.5, -1.0, 0.4, 1.0):
            ours, expected = (
                m.expected_actualdata(m.vector({n: alpha})) for m, n in ((model, name), (theirs, their_name))
            )
            np.testing.assert_allclose(ours, expected, rtol=1e-12, err_msg=name)
    # in two bins without simulated W bosons ours is uncertain by one of them
    variances = [np.asarray(m.constraints.variance)[-22:] for m in (model, theirs)]
    assert np.flatnonzero(variances[0] > 1.001 * variances[1]).tolist() == [18, 21]
    np.testing.assert_allclose(np.delete(variances[0], [18, 21]), np.delete(variances[1], [18, 21]))
    result, norm = fit(model, data), model.index("ttbar_norm")
    assert result.parameters[norm] == pytest.approx(0.960769, abs=1e-3)
    assert result.uncertainties[norm] == pytest.approx(0.108212, abs=1e-3)
    assert 2 * result.nll == pytest.approx(141.333534, abs=0.3)
    # what the optimisation makes small, for these histograms
    assert -Sigma("ttbar_norm")(model) == pytest.approx(np.log(0.119666), abs=0.01)


@pytest.mark.thorough
def test_example_of_the_page(shared_data, monkeypatch, capsys):
    page = Path(__file__).parents[4] / "docs" / "ttbar_agc.md"
    (source,) = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    monkeypatch.chdir(shared_data / "agc")
    exec(compile(source, page.name, "exec"), {})
    told = capsys.readouterr().out.strip()
    assert told == "ttbar_norm = 0.9601 +- 0.1084"
    assert told.removeprefix("ttbar_norm = ") in source.rpartition("#")[2]


def test_histograms_that_do_not_fit_are_named(shared_data, tmp_path):
    folder = shared_data / "agc"
    filled = json.loads((folder / "histos_1_file_per_process.json").read_text())
    path, inputs = tmp_path / "histograms.json", folder / "nanoaod_inputs.json"
    path.write_text(json.dumps({k: v for k, v in filled.items() if k != "4j2b_wjets_pt_scale_up"}))
    with pytest.raises(InputError, match="no histogram '4j2b_wjets_pt_scale_up'"):
        reference_likelihood(path, inputs)
    coarse = {"edges": [50.0, 130.0, 550.0], "contents": [0.0, 1.0, 2.0, 0.0]}
    path.write_text(json.dumps({**filled, "4j1b_ttbar": coarse}))
    with pytest.raises(InputError, match="'4j1b_ttbar' has no edges at"):
        reference_likelihood(path, inputs)
    with pytest.raises(InputError, match="cannot read"):
        reference_likelihood(tmp_path / "nothing.json", inputs)
