"""Collision data in one line: blinded until asked, then in the plots; control plots before and after each cut."""

from __future__ import annotations

import csv
import dataclasses
import json

import awkward as ak
import numpy as np
import pytest

from hepgrad.analysis import Channel, Regular
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.systematics import Normalisation
from hepgrad.workflows import InputError, Process, run
from hepgrad.workflows.execution import located

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture(scope="module")
def workflow(tiny, tmp_path_factory):
    """The tiny workflow with data, which are its top events, and two control plots."""
    folder = tiny.write_events(tmp_path_factory.mktemp("observed") / "events")
    fileset = json.loads((folder / "fileset.json").read_text())
    # collision data have no weights
    branches = {name: values for name, values in tiny.draw("top").items() if name != "genWeight"}
    tiny.write_tree(folder / "run_b.root", branches)
    fileset["run_b"] = {"nominal": {"files": ["run_b.root"], "lumi_pb": 1000.0}}
    (folder / "fileset.json").write_text(json.dumps(fileset))
    model = TemplateModel(["signal"], [Normalisation("top_norm", 0.2, ["top"]), Normalisation("lumi", 0.1)])
    return dataclasses.replace(
        tiny.TINY,
        data=folder,
        processes=[*tiny.TINY.processes, Process("data", datasets=["run_b"], observed=True)],
        plots=[Channel("met", "MET.pt", Regular(4, 0.0, 200.0, label="missing $p_T$", unit="GeV"))],
        analysis=dataclasses.replace(tiny.TINY.analysis, model=model, objective="discovery"),
        steps=2,
        replicas=2,
    )


def test_data_are_no_part_of_the_prediction(workflow):
    assert [process.name for process in workflow.processes] == ["signal", "top", "multijet"]
    changed = dataclasses.replace(workflow, steps=1)
    assert changed.source == workflow.source
    found, fileset = located(changed)
    assert found.luminosity == workflow.luminosity
    assert list(found.ingredients(fileset)) == ["signal", "top", "multijet"]


def test_data_cannot_be_predicted(workflow):
    other = dataclasses.replace(workflow, processes=[*workflow.processes[:2], Process("multijet", datasets=["run_b"])])
    found, fileset = located(other)
    with pytest.raises(
        InputError, match=r"sample 'run_b' is observed .'data'., and part of the predicted process 'mult"
    ):
        found.ingredients(fileset)
    with pytest.raises(ValueError, match="'data' is observed, and cannot be the signal"):
        Process("data", observed=True, signal=True)
    with pytest.raises(ValueError, match="process 'more' is observed, but its source finds"):
        dataclasses.replace(workflow, processes=[*workflow.processes, Process("more", observed=True)])


def rows(folder, **wanted):
    with (folder / "control.csv").open() as file:
        return [row for row in csv.DictReader(file) if all(row[key] == value for key, value in wanted.items())]


@pytest.mark.usefixtures("x64")
def test_blinded_until_asked(workflow, tiny, tmp_path):
    result = run(workflow, output=tmp_path / "blinded", quiet=True)
    assert rows(tmp_path / "blinded", kind="data") == []
    assert "Blinded: the observed events" in (tmp_path / "blinded" / "report.html").read_text()
    run(workflow, output=tmp_path / "seen", quiet=True, unblind=True)
    met, jets = (ak.to_numpy(tiny.draw("top")["MET_pt"]), tiny.draw("top")["Jet_pt"])
    everything = [float(row["events"]) for row in rows(tmp_path / "seen", kind="data", step="all events")]
    np.testing.assert_array_equal(everything, np.histogram(met, np.linspace(0, 200, 5))[0])
    cuts = result.optimum.parameters
    passed = (met > float(cuts["met"])) & (ak.sum(jets[jets > float(cuts["jet_pt"])], axis=1) > float(cuts["ht"]))
    selected = [float(row["events"]) for row in rows(tmp_path / "seen", kind="data", step="jet activity")]
    np.testing.assert_array_equal(selected, np.histogram(met[ak.to_numpy(passed)], np.linspace(0, 200, 5))[0])
    # the uncertainty of the whole prediction: 20 % of top, and 10 % of everything
    at = {"step": "jet activity"}
    top = [float(row["events"]) for row in rows(tmp_path / "seen", kind="process", process="top", **at)]
    total = rows(tmp_path / "seen", kind="prediction", **at)
    events, systematic = (np.array([float(row[name]) for row in total]) for name in ("events", "systematic"))
    np.testing.assert_allclose(systematic, np.hypot(0.2 * np.array(top), 0.1 * events), rtol=1e-4)
    assert len(list((tmp_path / "seen" / "plots").glob("control-met-*.pdf"))) == 3
    assert 'id="control-plots"' in (tmp_path / "seen" / "report.html").read_text()
