"""Likelihoods from and for other programs, on disk: Combine's own scans, cabinetry, HS3, patches, URLs."""

from __future__ import annotations

import gzip
import json

import cabinetry
import fsspec
import jax
import numpy as np
import pytest

from hepgrad.analysis.statistics.exchange import configured
from hepgrad.analysis.statistics.histfactory import from_workspace as model_of
from hepgrad.analysis.statistics.measurement import scan
from hepgrad.workflows import InputError, convert, fit, from_workspace
from hepgrad.workflows.cli.program import main
from hepgrad.workflows.fitting.sources import document

pytestmark = pytest.mark.usefixtures("quick_compilation")

WITHOUT_STATISTICS = [
    "one-bin-sys-histosys-corr",
    "one-bin-sys-histosys-uncorr",
    "one-bin-sys-normsys-corr",
    "one-bin-sys-normsys-uncorr",
    "two-bin-sys-normfactor",
]
WITH_STATISTICS = ["one-bin-stat-bbl", "one-bin-stat-full"]


def scans(folder, name, program, **settings):
    """Yield our scans of the observed and of Asimov data, and those of a program."""
    model, observed = document(folder / "cards" / f"{name}.txt", **settings).model()
    for kind, data in (("obs", observed), ("asi", model.expected_data(model.initial))):
        told = json.loads((folder / "results" / f"{name}_{kind}_{program}.json").read_text())
        order = np.argsort(told["r"])
        yield scan(model, data, "r", told["r"]), np.array(told["nll"])[order], told["bf"][0]


@pytest.mark.thorough
@pytest.mark.parametrize("name", [*WITHOUT_STATISTICS, *WITH_STATISTICS])
def test_combines_own_scans(x64, shared_data, name):
    for ours, heights, best in scans(shared_data / "combine2pyhf", name, "combine"):
        np.testing.assert_allclose(ours.twice_delta_nll, heights, atol=1e-3)
        # where Combine's minimiser stops; the exact minimum of the cards with one bin is at (237 - 43.843) / 148.806
        assert ours.estimate == pytest.approx(best, rel=1e-3)


@pytest.mark.thorough
def test_the_statistics_of_the_simulation_make_the_difference(x64, shared_data):
    """Far from the minimum Combine's width goes with the signal; that of a staterror, as in pyhf, stays."""
    folder = shared_data / "combine2pyhf"
    for program, interpretation, height in (("combine", "combine", 66.62989), ("pyhf", "histfactory", 79.336941)):
        ours, heights, _ = next(scans(folder, "one-bin-stat-bbl", program, interpretation=interpretation))
        np.testing.assert_allclose(ours.twice_delta_nll, heights, atol=1e-3)
        assert ours.twice_delta_nll[0] == pytest.approx(height, abs=1e-3)


@pytest.mark.thorough
def test_a_run_folder_becomes_a_datacard_and_comes_back(x64, workspace, tmp_path, capsys):
    workspace = json.loads(json.dumps(workspace))
    # a shapesys beside a staterror is what a card cannot hold
    top = workspace["channels"][0]["samples"][2]
    top["modifiers"] = [modifier for modifier in top["modifiers"] if modifier["type"] != "shapesys"]
    run = tmp_path / "run"
    run.mkdir()
    (run / "workspace.json").write_text(json.dumps(workspace))
    assert main(["convert", str(run), str(tmp_path / "card.txt"), "--to", "combine"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "card.txt"), str(tmp_path / "card.root")]
    text = (tmp_path / "card.txt").read_text()
    assert "SR autoMCStats 0 1 1" in text and "# under- and overflow are no part of the likelihood" in text
    read = document(tmp_path / "card.txt", interpretation="histfactory")
    one, data = model_of(workspace)
    other, other_data = read.model()
    renamed = {"r": "mu", "prop_binSR[0]": "mc[0]", "prop_binSR[1]": "mc[1]"}
    index = np.array([one.parameter_names.index(renamed.get(name, name)) for name in other.parameter_names])
    point = np.asarray(one.initial) + 0.2 * np.random.default_rng(0).normal(size=len(index))
    assert float(other.logpdf(point[index], other_data)) == pytest.approx(float(one.logpdf(point, data)), rel=1e-12)
    assert main(["fit", str(tmp_path / "card.txt"), "--no-impacts"]) == 0
    assert capsys.readouterr().out.startswith("r = ")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_cabinetry_rebuilds_the_workspace(x64, workspace, tmp_path, monkeypatch):
    workspace = json.loads(json.dumps(workspace))
    wjets = workspace["channels"][0]["samples"][2]
    wjets["modifiers"] = [modifier for modifier in wjets["modifiers"] if modifier["type"] != "shapesys"]
    monkeypatch.chdir(tmp_path)
    convert(workspace, "cabinetry.json", to="cabinetry")
    configuration = cabinetry.configuration.load("cabinetry.json")
    cabinetry.templates.collect(configuration, method="uproot")
    rebuilt = cabinetry.workspace.build(configuration)
    (one, data), (other, other_data) = (model_of(each) for each in (workspace, rebuilt))
    main, other_main = one.split(data)[0], other.split(other_data)[0]
    np.testing.assert_array_equal(main, other_main)
    # cabinetry gives every region a staterror, that of the control region without uncertainty
    names = {name.replace("staterror_SR", "mc"): i for i, name in enumerate(other.parameter_names)}
    assert set(names) == {*one.parameter_names, "staterror_CR[0]"}
    assert other.fixed[names["staterror_CR[0]"]]
    for name in ("mu", "k", "lumi", "xsec", "jes", "mc"):
        theirs = {"mc": "staterror_SR"}.get(name, name)
        start = np.asarray(one.named(one.initial)[name])
        for shift in (-1.0, 1.0):
            ours = one.expected_actualdata(one.vector({name: start + shift}))
            np.testing.assert_allclose(
                ours, other.expected_actualdata(other.vector({theirs: start + shift})), rtol=1e-6
            )
    ours, widths = one.constraints.variance, other.constraints.variance
    np.testing.assert_allclose(ours[one.index("mc")], widths[other.index("staterror_SR")], rtol=1e-6)


def test_hs3_on_disk(x64, workspace, file, tmp_path):
    convert(file, tmp_path / "document.json", to="hs3")
    read = document(tmp_path / "document.json")
    one, data = model_of(workspace)
    other, other_data = read.model()
    index = np.array([one.parameter_names.index(name) for name in other.parameter_names])
    point = np.asarray(one.initial) + 0.2 * np.random.default_rng(0).normal(size=len(index))
    assert float(other.logpdf(point[index], other_data)) == pytest.approx(float(one.logpdf(point, data)), rel=1e-12)
    convert(tmp_path / "document.json", tmp_path / "again.json", to="pyhf")
    assert json.loads((tmp_path / "again.json").read_text())["measurements"][0]["name"] == "search"


def test_an_analysis_of_hs3_is_chosen(workspace, file, tmp_path):
    convert(file, tmp_path / "document.json", to="hs3")
    content = json.loads((tmp_path / "document.json").read_text())
    more = [{**entry, "name": f"asimov_{entry['name']}"} for entry in content["data"]]
    content["data"] += [{**entry, "contents": [1.0 for _ in entry["contents"]]} for entry in more]
    likelihood = {**content["likelihoods"][0], "name": "asimov", "data": [entry["name"] for entry in more]}
    content["likelihoods"].append(likelihood)
    content["analyses"].append({**content["analyses"][0], "name": "expected", "likelihood": "asimov"})
    (tmp_path / "document.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="choose an analysis"):
        convert(tmp_path / "document.json", tmp_path / "again.json", to="pyhf")
    convert(tmp_path / "document.json", tmp_path / "again.json", to="pyhf", measurement="search")
    again = json.loads((tmp_path / "again.json").read_text())
    assert [entry["name"] for entry in again["measurements"]] == ["search"]
    by_name = {entry["name"]: entry["data"] for entry in workspace["observations"]}
    assert {entry["name"]: entry["data"] for entry in again["observations"]} == by_name
    with pytest.raises(InputError, match=r"document.json cannot be fitted \(--measurement .*there is no 'serch'"):
        convert(tmp_path / "document.json", tmp_path / "again.json", to="pyhf", measurement="serch")


def test_likelihoods_are_read_from_urls_and_compressed(x64, workspace, tmp_path):
    content = json.dumps(workspace).encode()
    system = fsspec.filesystem("memory")
    system.pipe("/workspace.json", content)
    (tmp_path / "workspace.json.gz").write_bytes(gzip.compress(content))
    expected, data = model_of(workspace)
    for path in ("memory://workspace.json", tmp_path / "workspace.json.gz"):
        model, same = from_workspace(path)
        assert model.parameter_names == expected.parameter_names
        np.testing.assert_array_equal(data, same)
    with pytest.raises(InputError, match=r"memory://nothing.json is no workspace .* no such file"):
        from_workspace("memory://nothing.json")


def test_patches_from_files(workspace, file, tmp_path):
    operations = [{"op": "replace", "path": "/observations/1/data", "value": [400.0]}]
    (tmp_path / "patch.json").write_text(json.dumps(operations))
    for patch in (operations, tmp_path / "patch.json"):
        model, data = from_workspace(file, patch=patch)
        assert float(model.by_channel(model.split(data)[0])["CR"][0]) == 400
    with pytest.raises(InputError, match=r"patch.json does not fit .*workspace.json: operation 0"):
        (tmp_path / "patch.json").write_text(json.dumps([{"op": "remove", "path": "/x"}]))
        from_workspace(file, patch=tmp_path / "patch.json")


@pytest.mark.thorough
def test_several_measurements_have_to_be_chosen(workspace, tmp_path, capsys):
    several = json.loads(json.dumps(workspace))
    several["measurements"].append({"name": "control", "config": {"poi": "k", "parameters": []}})
    path = tmp_path / "several.json"
    path.write_text(json.dumps(several))
    assert main(["fit", str(path)]) == 2
    assert "choose a measurement among ['search', 'control']: none was chosen" in capsys.readouterr().err
    assert fit(several, measurement="control", quantities=[]).parameter_of_interest == "k"
    assert convert(several, tmp_path / "one.json", to="pyhf", measurement="control")
    assert [m["name"] for m in json.loads((tmp_path / "one.json").read_text())["measurements"]] == ["control"]


def test_what_cannot_be_converted_is_told(workspace, shared_data, tmp_path, capsys):
    card = shared_data / "combine2pyhf" / "cards" / "one-bin-sys-histosys-corr.txt"
    with pytest.raises(InputError, match="interpolates as Combine does, which pyhf cannot say"):
        convert(card, tmp_path / "x.json", to="pyhf")
    convert(card, tmp_path / "x.json", to="pyhf", interpretation="histfactory")
    assert model_of(json.loads((tmp_path / "x.json").read_text()))[0].parameter_of_interest == "r"
    with pytest.raises(InputError, match="'SR' has shapesys and staterror; a datacard has one kind"):
        convert(workspace, tmp_path / "card.txt", to="combine")
    (tmp_path / "broken.txt").write_text("bin a\nobservation\n")
    assert main(["fit", str(tmp_path / "broken.txt")]) == 2
    assert "broken.txt: a datacard has 2 rows 'bin', this has 1" in capsys.readouterr().err
    (tmp_path / "card.txt").write_text(card.read_text())
    assert main(["fit", str(tmp_path / "card.txt")]) == 2
    assert "one-bin-sys-histosys-corr.root, with the histograms of the datacard" in capsys.readouterr().err
    assert configured(workspace)["measurements"] == workspace["measurements"]
    assert jax.config.jax_enable_x64 is False
