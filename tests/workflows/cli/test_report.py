"""``hepgrad report``: a run folder tells everything that its report shows."""

from __future__ import annotations

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from hepgrad.analysis import Edges, Parameter, Parameters, Weights
from hepgrad.workflows import RunFolder, StoredResult
from hepgrad.workflows.analyses.htautau import HTAUTAU
from hepgrad.workflows.analyses.ttbar_agc import TTBAR_AGC
from hepgrad.workflows.cli.program import main
from hepgrad.workflows.reporting import Subject
from hepgrad.workflows.results.run_files import write_results


@pytest.fixture
def copy(finished, tmp_path):
    shutil.copytree(finished[2], tmp_path / "run")
    return tmp_path / "run"


def test_a_stored_result_is_the_result(finished):
    _, result, folder = finished
    stored = StoredResult.read(folder)
    assert str(stored.result) == str(result)
    assert stored.result.history == result.history
    assert stored.result.gain == result.gain
    assert stored.observation is None
    for point in ("start", "optimum"):
        ours, theirs = getattr(stored.result, point), getattr(result, point)
        assert ours.parameters.specs == theirs.parameters.specs | {
            # a label that nobody gave is the name
            name: type(spec).from_entry(spec.to_entry(spec.value) | {"label": spec.label or name}, None)
            for name, spec in theirs.parameters.specs.items()
        }
        for which in ("soft_train", "soft_held_out", "hard_train", "hard_held_out"):
            mine, evaluation = getattr(ours, which), getattr(theirs, which)
            assert (mine.objective, mine.yields) == (evaluation.objective, evaluation.yields)
            np.testing.assert_array_equal(mine.histograms["ht"].sumw, evaluation.histograms["ht"].sumw)
            np.testing.assert_array_equal(mine.histograms["ht"].sumw2, evaluation.histograms["ht"].sumw2)
        assert ours.cutflow.steps == theirs.cutflow.steps
        for a, b in zip(jax.tree.leaves(ours.cutflow), jax.tree.leaves(theirs.cutflow), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.thorough
def test_the_report_is_made_from_the_folder_alone(copy, capsys):
    page = (copy / "report.html").read_bytes()
    facts = (copy / "run.json").read_text()
    (copy / "report.html").unlink()
    shutil.rmtree(copy / "plots")
    assert main(["report", str(copy)]) == 0
    assert capsys.readouterr().out == f"the report is {copy / 'report.html'}\n"
    assert (copy / "report.html").read_bytes() == page
    assert (copy / "run.json").read_text() == facts
    assert all((copy / name).exists() for name in json.loads(facts)["files"])


@pytest.mark.thorough
def test_another_experiment(copy, finished):
    main(["report", str(copy), "--experiment", "CMS Open_Data"])
    assert (copy / "report.html").read_bytes() != (finished[2] / "report.html").read_bytes()
    # and it stays
    assert json.loads((copy / "report.json").read_text())["experiment"] == "CMS Open_Data"


def test_what_is_no_finished_run(copy, tmp_path, capsys):
    def fails(folder, message):
        assert main(["report", str(folder)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.startswith("hepgrad: ") and len(error.splitlines()) == 1

    fails(tmp_path / "nowhere", f"there is no run folder {tmp_path / 'nowhere'}")
    fails(tmp_path, "is not the folder of a run: it has no run.json of one")
    fails(RunFolder.create(tmp_path / "broken").path, "was broken off while its results were written; go on with --res")
    other = RunFolder.create(tmp_path / "scan")
    other.finish({"status": "finished"})
    fails(other.path, "has no report.json, from which a report is made: `hepgrad run` writes it for a workflow that")
    (copy / "cutflow.csv").rename(copy / "kept")
    fails(copy, "does not hold a whole run: cutflow.csv is missing")
    (copy / "kept").rename(copy / "cutflow.csv")
    told = json.loads((copy / "result.json").read_text())
    del told["descents"]
    (copy / "result.json").write_text(json.dumps(told))
    fails(copy, "are not those of a run of this version of hepgrad, or they were changed: KeyError: 'descents'")
    (copy / "report.json").write_text("{}")
    fails(copy, "report.json does not tell what a report shows: KeyError: 'processes'")


@pytest.mark.parametrize("workflow", [HTAUTAU, TTBAR_AGC], ids=["htautau", "ttbar-agc"])
def test_what_plots_say_comes_back(workflow, tmp_path):
    subject, folder = Subject.of(workflow, "one note"), RunFolder.create(tmp_path)
    subject.write(folder)
    again = Subject.read(tmp_path)
    assert again.prediction == subject.prediction == workflow.predicted
    for ours, theirs in zip(again.channels, subject.channels, strict=True):
        assert (ours.name, ours.axis, ours.region, ours.edges) == (
            theirs.name,
            theirs.axis,
            theirs.region,
            theirs.edges,
        )
    assert (again.title, again.notes, again.processes) == (subject.title, subject.notes, subject.processes)


def test_edges_and_networks_come_back(finished, tmp_path):
    """With the numbers of another run: only the parameters matter here."""
    workflow, result, _ = finished
    start = Parameters(
        **workflow.parameters.specs,
        pt=Parameter([30.0, 40.0], bounds=(20, 60)),
        bins=Edges([50.0, 200.0, 350.0, 500.0, 650.0], narrowest=10.0, label="$H_T$ bins"),
        net=Weights([{"w": np.ones((2, 1), np.float32)}, {"w": np.zeros(3, np.float32)}], frozen=True),
    )
    optimum = start.replace(met=33.0, pt=[21.0, 59.0], bins=[50.0, 100.0, 350.0, 500.0, 650.0])
    points = {name: dataclasses.replace(getattr(result, name), parameters=start) for name in ("start", "optimum")}
    points["optimum"] = dataclasses.replace(points["optimum"], parameters=optimum)
    history = tuple(dataclasses.replace(r, values=start.numbers()) for r in result.history)
    attempt = dataclasses.replace(result.best, start=start, best=optimum, history=history)
    result = dataclasses.replace(result, **points, attempts=(attempt, attempt))
    flows = {name: point.cutflow for name, point in points.items()}
    stored = StoredResult.read(finished[2])
    write_results(RunFolder.create(tmp_path), result, workflow.analysis, None, stored.improvement, flows)
    again = StoredResult.read(tmp_path).result
    assert str(again) == str(result)
    assert again.optimum.parameters.to_dict() == optimum.to_dict()
    assert again.start.parameters.ranges() == start.ranges()
    assert again.optimum.parameters.free == start.free
    assert [attempt.history for attempt in again.attempts] == [history, history]
