"""What a run with a likelihood leaves: read back by pyhf, and consistent with what the run says."""

from __future__ import annotations

import csv
import dataclasses
import json
from types import SimpleNamespace

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest

from hepgrad.analysis import Analysis, Channel, Counts, Dataset, Parameter, Parameters, Regular, Split, optimize, stage
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.statistics.objectives import Sigma
from hepgrad.analysis.systematics import KinematicVariation, Normalisation
from hepgrad.workflows import InputWarning, RunFolder
from hepgrad.workflows.results import inference_files
from hepgrad.workflows.results.bootstrap import Improvement
from hepgrad.workflows.results.inference_files import write_inference
from hepgrad.workflows.results.observation import Observation
from hepgrad.workflows.results.run_files import soft_cutflows, write_results

pytestmark = pytest.mark.thorough

CUTS = Parameters(met=Parameter(40.0, bounds=(0, 100), width=5.0))


@stage(reads=("met",))
def select(events, cut):
    return events.select(events.met > cut.met)


def shifted(events, alpha):
    return events.with_field(met=events.met * (1 + 0.1 * alpha))


SYSTEMATICS = [Normalisation("lumi", 0.03), KinematicVariation("scale", shifted)]
MODEL = TemplateModel(["signal"], SYSTEMATICS, parameter_of_interest="rate")
ANALYSIS = Analysis([select], [Channel("sr", "met", Regular(4, 0, 400))], MODEL, objective=Sigma("rate"))


def dataset(seed):
    rng = np.random.default_rng(seed)
    samples = {"signal": rng.exponential(120, 500), "background": rng.exponential(50, 500)}
    samples = {name: ak.zip({"met": met.astype(np.float32)}) for name, met in samples.items()}
    return Dataset.from_awkward(samples, {"signal": np.full(500, 0.5), "background": np.full(500, 2.0)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory, quick_compilation):
    """Written in single precision: the likelihood is in double precision anyway."""
    split = Split(dataset(1), dataset(2))
    result = optimize(ANALYSIS, split, parameters=CUTS, steps=3)
    improvement = Improvement.of(result, ANALYSIS, split.held_out, replicas=10)
    folder = RunFolder.create(tmp_path_factory.mktemp("run") / "out")
    flows = soft_cutflows(result, ANALYSIS, split.held_out)
    write_results(folder, result, ANALYSIS, split.held_out, improvement, flows)
    return folder, result, improvement


def rows(folder, name):
    with (folder.path / name).open(newline="") as file:
        return list(csv.DictReader(file))


# pyhf asks jsonschema in a way that it deprecates
@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
def test_workspace_has_the_uncertainty_that_the_run_tells(folder):
    folder, result, _ = folder
    workspace = pyhf.Workspace(json.loads((folder.path / "workspace.json").read_text()))
    model = workspace.model()
    assert model.config.poi_name == "rate"
    counts = result.optimum.hard_held_out.histograms["sr"]
    observed = workspace.data(model, include_auxdata=False)
    np.testing.assert_allclose(observed, np.asarray(counts.sumw[:, 1:-1].sum(axis=0)), rtol=1e-5)
    # curvature of pyhf's own likelihood on its Asimov data
    start = np.array(model.config.suggested_init())
    data = np.array(workspace.data(model))

    def nll(point):
        return -float(model.logpdf(point, data)[0])

    h, n = 1e-3, len(start)
    hessian = np.empty((n, n))
    for i, j in np.ndindex(n, n):
        a, b = h * np.eye(n)[i], h * np.eye(n)[j]
        hessian[i, j] = (nll(start + a + b) - nll(start + a - b) - nll(start - a + b) + nll(start - a - b)) / (4 * h**2)
    free = [i for i in range(n) if hessian[i, i] > 0]
    index = free.index(model.config.par_names.index("rate"))
    sigma = np.sqrt(np.linalg.inv(hessian[np.ix_(free, free)])[index, index])
    assert sigma == pytest.approx(np.exp(-result.optimum.hard_held_out.objective), rel=2e-3)
    parts = json.loads((folder.path / "uncertainty.json").read_text())
    assert parts["parameter"] == "rate"
    assert parts["total"] == pytest.approx(sigma, rel=2e-3)
    assert set(parts["sources"]) == {"lumi", "scale", "staterror_sr"}
    assert 0 < parts["statistical"] < parts["total"]


def test_systematics_table_has_the_relative_effects(folder):
    folder, result, _ = folder
    table = rows(folder, "systematics.csv")
    assert {(row["point"], row["process"], row["source"]) for row in table} == {
        (point, process, source)
        for point in ("start", "optimum")
        for process in ("signal", "background")
        for source in ("lumi", "scale")
    }
    for row in table:
        if row["source"] == "lumi":
            assert (float(row["down"]), float(row["up"])) == pytest.approx((-0.03, 0.03))
            continue
        templates = getattr(result, row["point"]).hard_held_out.histograms
        process = ("signal", "background").index(row["process"])
        nominal, up = (float(h["sr"].sumw[process, 1:-1].sum()) for h in (templates.nominal, templates.up["scale"]))
        if row["process"] == "signal":
            assert float(row["up"]) == pytest.approx(up / nominal - 1, rel=1e-4)


def test_impacts_are_those_of_a_fit_without_pulls(folder):
    folder, _, _ = folder
    table = {row["parameter"]: row for row in rows(folder, "impacts.csv")}
    assert float(table["rate"]["value"]) == pytest.approx(1, abs=1e-6)
    assert all(abs(float(row["pull"])) < 1e-6 and row["converged"] == "True" for row in table.values())
    assert 0 < float(table["lumi"]["constraint"]) <= 1
    # more luminosity is less cross-section
    assert float(table["lumi"]["postfit_up"]) < 0 < float(table["lumi"]["postfit_down"])


def test_pulls_of_asimov_data(folder):
    folder, _, _ = folder
    table = rows(folder, "pulls.csv")
    assert {row["fit"] for row in table} == {"asimov"}
    impacts = {row["parameter"]: row for row in rows(folder, "impacts.csv")}
    assert [row["parameter"] for row in table if not row["pull"]] == ["rate"]
    for row in table:
        told = impacts[row["parameter"]]
        assert (row["value"], row["uncertainty"]) == (told["value"], told["uncertainty"])
        if row["pull"]:
            assert (float(row["pull"]), row["constraint"]) == (pytest.approx(0, abs=1e-6), told["constraint"])


# pyhf asks jsonschema in a way that it deprecates
@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
def test_pulls_of_observed_data_are_those_of_pyhf(folder, tmp_path):
    _, result, _ = folder
    prediction = result.optimum.hard_held_out.histograms["sr"]
    tilted = jnp.round(prediction.sumw.sum(axis=0) * jnp.array([0, 1.5, 0.5, 1.5, 0.5, 0]))
    seen = Counts(tilted, tilted)
    observation = Observation({"sr": seen}, {"sr": seen}, None, None)
    run = RunFolder.create(tmp_path / "out")
    write_inference(run, result, ANALYSIS, dataset(2), observation)
    table = {(row["fit"], row["parameter"]): row for row in rows(run, "pulls.csv")}
    workspace = pyhf.Workspace(json.loads((run.path / "workspace.json").read_text()))
    model = workspace.model()
    best = dict(zip(model.config.par_names, pyhf.infer.mle.fit(workspace.data(model), model).tolist(), strict=True))
    for name in ("lumi", "scale"):
        # their auxiliary measurements are 0 +- 1
        assert float(table["observed", name]["pull"]) == pytest.approx(best[name], abs=2e-3)
        assert float(table["observed", name]["value"]) == pytest.approx(best[name], abs=2e-3)
        assert float(table["asimov", name]["pull"]) == pytest.approx(0, abs=1e-6)
    assert max(abs(best["scale"]), abs(best["lumi"])) > 0.1


def test_result_tells_the_improvement(folder):
    folder, result, improvement = folder
    told = json.loads((folder.path / "result.json").read_text())["improvement"]
    assert told["figure"] == "Expected uncertainty of rate"
    assert told["start"] == pytest.approx(np.exp(-result.start.hard_held_out.objective))
    assert told["gain"] == pytest.approx(told["start"] - told["optimum"])
    assert told["exceeds_uncertainty"] == improvement.is_significant
    assert told["gain_uncertainty"] == improvement.gain_uncertainty


def test_likelihood_needs_a_template_model(folder):
    from hepgrad.analysis import CountingModel
    from hepgrad.workflows.results.likelihood import model_at

    _, result, _ = folder
    counting = dataclasses.replace(ANALYSIS, model=CountingModel(["signal"], 0.1), objective="discovery")
    with pytest.raises(TypeError, match="needs a TemplateModel, got CountingModel"):
        model_at(result.optimum, counting, dataset(2))
    assert jax.config.jax_enable_x64 is False


def test_a_selection_without_a_likelihood_costs_no_more_than_that(tmp_path, monkeypatch):
    def nothing(*_):
        raise ValueError("the parameter of interest 'mu' has no effect: all yields of 's' are zero")

    monkeypatch.setattr(inference_files, "model_at", nothing)
    result = SimpleNamespace(start=None, optimum=None)
    told = r"there is no workspace.json, .* all yields of 's' are zero; loosen the bounds of the cuts"
    with pytest.warns(InputWarning, match=told):
        inference_files.write_inference(RunFolder.create(tmp_path / "run"), result, None, None, None)
    assert not (tmp_path / "run" / "workspace.json").exists()
