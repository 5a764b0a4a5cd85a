"""Workspaces in and out: pyhf reads what is written, and computes the same; cabinetry fits it."""

from __future__ import annotations

import json
import warnings

import cabinetry
import numpy as np
import pyhf
import pytest

from hepgrad.analysis.statistics.histfactory import (
    FitChannel,
    FitSample,
    HistoSys,
    Lumi,
    Model,
    NormFactor,
    NormSys,
    ParameterConfig,
    ShapeFactor,
    ShapeSys,
    StatError,
    from_workspace,
    to_workspace,
)

pytestmark = pytest.mark.usefixtures("quick_compilation")


def built_from_histograms():
    shape = HistoSys("jes", hi=np.array([6.0, 9.0]), lo=np.array([4.5, 11.0]))
    signal = FitSample(
        "signal", np.array([5.0, 10.0]), [NormFactor("mu"), Lumi(), shape, StatError("mc", sumw2=[0.5, 1.0])]
    )
    norm = NormSys("xsec", hi=1.2, lo=0.9)
    background = FitSample("background", [50.0, 20.0], [norm, Lumi(), StatError("mc", sumw2=[4.0, 4.0])])
    data_driven = FitSample("multijet", [10.0, 0.0], [ShapeSys("fakes", uncertainties=[3.0, 0.0])])
    control = FitSample("background", [400.0], [ShapeFactor("free"), norm])
    return Model(
        [FitChannel("SR", [signal, background, data_driven]), FitChannel("CR", [control])],
        parameter_of_interest="mu",
        parameters=[ParameterConfig("lumi", auxdata=1.0, sigmas=0.02), ParameterConfig("mu", bounds=(-2, 8))],
    )


def validate(workspace):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pyhf calls a deprecated function of jsonschema
        pyhf.schema.validate(json.loads(json.dumps(workspace)), "workspace.json")


def test_the_export_is_valid_and_pyhf_computes_the_same(x64, in_pyhf):
    model = built_from_histograms()
    data = model.data({"SR": [70.0, 28.0], "CR": [390.0]})
    workspace = to_workspace(model, data)
    validate(workspace)
    theirs, expected_data = in_pyhf(workspace)
    assert list(model.parameter_names) == theirs.config.par_names
    np.testing.assert_array_equal(model.bounds, theirs.config.suggested_bounds())
    np.testing.assert_allclose(data, expected_data, rtol=1e-15)
    parameters = model.vector(
        {"mu": 1.7, "jes": -0.6, "xsec": 0.4, "lumi": 1.01, "mc": [0.9, 1.1], "fakes": [1.2, 1.0]}
    )
    expected = theirs.logpdf(np.asarray(parameters), expected_data)[0]
    np.testing.assert_allclose(model.logpdf(parameters, data), expected, rtol=1e-12)


def test_reading_and_writing_keeps_the_meaning(x64, workspace):
    model, data = from_workspace(workspace)
    exported = to_workspace(model, data, measurement="search")
    validate(exported)
    for key in ("channels", "observations"):
        assert exported[key] == workspace[key]
    config = {entry["name"]: entry for entry in exported["measurements"][0]["config"]["parameters"]}
    assert config == {entry["name"]: entry for entry in workspace["measurements"][0]["config"]["parameters"]}


def test_agc_workspace_survives(x64, shared_data):
    workspace = json.loads((shared_data / "agc/workspace_1_file_per_process.json").read_text(encoding="utf-8"))
    model, data = from_workspace(workspace)
    assert to_workspace(model, data, measurement="CMS_ttbar") == workspace


def test_changed_auxiliary_data_are_written(x64, workspace, in_pyhf):
    model, _ = from_workspace(workspace)
    toy = model.expected_data(model.vector({"theory": 0.7, "model": [1.1, 1.0, 0.9], "mc SR": [1.05, 0.95, 1.0]}))
    exported = to_workspace(model, toy)
    validate(exported)
    _, same = from_workspace(exported)
    np.testing.assert_allclose(same, toy, rtol=1e-15)
    np.testing.assert_allclose(in_pyhf(exported)[1], toy, rtol=1e-15)


def test_a_measurement_is_chosen_by_name_and_unused_settings_are_left_out(workspace):
    first = workspace["measurements"][0]
    config = {"poi": "", "parameters": [*first["config"]["parameters"], {"name": "unused", "fixed": True}]}
    workspace["measurements"] = [first, {"name": "background only", "config": config}]
    assert from_workspace(workspace, measurement="search")[0].parameter_of_interest == "mu"
    model, data = from_workspace(workspace, measurement="background only")
    assert model.parameter_of_interest is None
    assert to_workspace(model, data)["measurements"][0]["config"]["poi"] == ""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_cabinetry_fits_the_export(x64):
    model = built_from_histograms()
    asimov = model.expected_data(model.initial)
    theirs, data = cabinetry.model_utils.model_and_data(json.loads(json.dumps(to_workspace(model, asimov))))
    result = cabinetry.fit.fit(theirs, data)
    assert result.labels == list(model.parameter_names)
    np.testing.assert_allclose(result.bestfit, model.initial, atol=1e-3)
