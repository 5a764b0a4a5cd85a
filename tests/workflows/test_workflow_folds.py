"""A cross-fitted run: folder, table, report, script, and a run that was interrupted in a later fold."""

from __future__ import annotations

import csv
import dataclasses
import json
import runpy

import jax
import numpy as np
import pytest

from hepgrad.analysis import Channel, Edges, Hard, Parameters, Regular, fold_numbers
from hepgrad.analysis.optimisation import search
from hepgrad.workflows import Fileset, InputError, Process, run
from hepgrad.workflows.backends.loading import load_folds
from hepgrad.workflows.checkpoint import CheckpointFile
from hepgrad.workflows.cli.program import main
from hepgrad.workflows.execution import located
from hepgrad.workflows.export import selection_script
from hepgrad.workflows.results.stored_result import StoredResult

pytestmark = [pytest.mark.usefixtures("quick_compilation"), pytest.mark.thorough]

K = 3


def numbered(tiny, name: str, branches):
    """Add event numbers beyond 32 bits to a sample."""
    numbers = 5_000_000_000 * (name != "run_b") + np.random.default_rng(len(name)).permutation(len(branches["MET_pt"]))
    return {**branches, "event": numbers.astype(np.uint64)}


@pytest.fixture(scope="module")
def workflow(tiny, tmp_path_factory):
    """The tiny workflow with event numbers, and with data, which are its top events under other numbers."""
    folder = tiny.write_events(tmp_path_factory.mktemp("folds") / "events")
    fileset = json.loads((folder / "fileset.json").read_text())
    for name in tiny.EVENTS:
        tiny.write_tree(folder / f"{name}.root", numbered(tiny, name, tiny.draw(name)))
    data = {name: values for name, values in tiny.draw("top").items() if name != "genWeight"}
    tiny.write_tree(folder / "run_b.root", numbered(tiny, "run_b", data))
    fileset["run_b"] = {"nominal": {"files": ["run_b.root"], "lumi_pb": 1000.0}}
    (folder / "fileset.json").write_text(json.dumps(fileset))
    return dataclasses.replace(
        tiny.TINY,
        data=folder,
        processes=[*tiny.TINY.processes, Process("data", datasets=["run_b"], observed=True)],
        plots=[Channel("met", "MET.pt", Regular(4, 0.0, 200.0, unit="GeV"))],
        steps=4,
        replicas=10,
        folds=K,
    )


@pytest.fixture(scope="module")
def made(workflow, tmp_path_factory):
    """What the run found, its folder, and how many programs of steps it compiled."""
    folder = tmp_path_factory.mktemp("runs") / "folds"
    compiled, original = [], search.program_of_steps
    with pytest.MonkeyPatch.context() as patch, jax.enable_x64(True):
        patch.setattr(search, "program_of_steps", lambda *given: compiled.append(given) or original(*given))
        result = run(workflow, output=folder, quiet=True, unblind=True, moving=True, repeats=2)
    # one for all folds, and one for all repetitions, in which events are replicas
    assert len(compiled) == 2
    return result, folder


def cuts_of(folder, name, fold):
    return np.array(json.loads((folder / "parameters.json").read_text())[name]["folds"], np.float32)[fold]


def test_every_event_is_judged_by_the_cuts_of_its_number(workflow, made, tiny):
    """Counted by hand: events of all simulation and of the data, each with the cuts of its fold."""
    result, folder = made
    assert len(result.folds) == K
    assert len({fold.parameters.numbers()["met"] for fold in result.folds}) == K
    for sample, process, where in (("top", "top", result.optimum.hard_held_out.yields), ("run_b", "data", None)):
        branches = numbered(tiny, sample, tiny.draw("top"))
        fold = fold_numbers(branches["event"], K)
        at = {name: cuts_of(folder, name, fold) for name in ("jet_pt", "met", "ht")}
        jets = branches["Jet_pt"]
        ht = np.asarray(np.sum(jets * (jets > at["jet_pt"]), axis=1))
        passed = (branches["MET_pt"] > at["met"]) & (ht > at["ht"])
        if where is None:
            seen = json.loads((folder / "observed.json").read_text())["events"]["optimum"]["ht"]
            assert seen == np.count_nonzero(passed)
        else:
            weight = branches["genWeight"].astype(float)
            expected = 1.5 * 1000.0 * weight[passed].sum() / (1.25 * weight.sum())
            assert where[process] == pytest.approx(expected, rel=1e-5)


def test_the_table_says_it(made):
    result, folder = made
    told = " ".join(str(result).split())
    assert "cross-fitted, every event judged by cuts that never saw it" in told
    for text in ("each unseen", "train, mean of folds", "fold 3, trained on", "fold 3, unseen", "fold 1"):
        assert text in told
    page = (folder / "report.html").read_text()
    assert "with hard cuts, cross-fitted, every event judged by cuts that never saw it: <b>" in page
    assert "Overtraining" not in page
    for text in ("Cuts that are as good, hard", "spread", "all rounded", "Loss when one cut is left out", "2 searches"):
        assert text in page
    for plot in ("profiles", "repeats"):
        assert (folder / "plots" / f"{plot}.csv").exists()
    assert {"robustness.json", "simpler.json", "repeated.json"} <= set(
        json.loads((folder / "run.json").read_text())["files"]
    )


def test_the_folder_tells_it_again(made):
    result, folder = made
    stored = StoredResult.read(folder)
    assert str(stored.result) == str(result)
    assert "cross-fitted" in str(stored.improvement)
    assert [fold.parameters.numbers() for fold in stored.result.folds] == [f.parameters.numbers() for f in result.folds]
    assert stored.result.optimum.parameters.numbers() in [fold.parameters.numbers() for fold in result.folds]
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["fold"]) for row in rows] == [fold for fold in (1, 2, 3) for _ in range(4)]
    facts = json.loads((folder / "run.json").read_text())
    assert facts["folds"] == K
    assert "hash of its number" in facts["split"]
    with (folder / "control.csv").open() as file:
        last = [row for row in csv.DictReader(file) if row["step"] == "jet activity" and row["kind"] == "data"]
    seen = json.loads((folder / "observed.json").read_text())["events"]["optimum"]["ht"]
    assert sum(float(row["events"]) for row in last) <= seen


def test_the_script_applies_the_cuts_of_the_fold(workflow, made):
    _, folder = made
    told = json.loads((folder / "run.json").read_text())["selection"]
    assert told.startswith("selection.py is the same selection in plain Awkward Array: run on 1,601 events, with the")
    assert "cuts of 3 folds by their numbers" in told
    script = runpy.run_path(str(folder / "selection.py"))
    filled = script["histograms"](workflow.data / "fileset.json")
    events = script["read_events"](workflow.data / "top.root", [*script["COLUMNS"], "genWeight"], tree="Events")
    with_coffea = script["of_nanoevents"](events, "top")["ht/top"]
    np.testing.assert_allclose(with_coffea.values(flow=True), filled["ht", "top"].values(flow=True))
    script["write"](workflow.data / "fileset.json", folder.parent / "columns.root")
    passed = script["uproot"].open(folder.parent / "columns.root")["top"].arrays(library="np")
    met = script["ak"].to_numpy(events.MET.pt)
    fold = fold_numbers(script["ak"].to_numpy(events.event), K)
    np.testing.assert_array_equal(passed["after_missing_momentum"], met > cuts_of(folder, "met", fold))


def test_a_run_that_was_interrupted_in_the_second_fold_goes_on_to_the_same_bits(workflow, made, tmp_path, monkeypatch):
    result, _ = made
    saved, original = [], CheckpointFile.save

    def save(self, checkpoint):
        original(self, checkpoint)
        saved.append(checkpoint)
        if len(checkpoint.folds) == 1 and len(checkpoint.attempt.history) == 2:
            raise KeyboardInterrupt

    blinded = dataclasses.replace(workflow, plots=())
    with jax.enable_x64(True):
        with monkeypatch.context() as patch:
            patch.setattr(CheckpointFile, "save", save)
            with pytest.raises(KeyboardInterrupt):
                run(blinded, output=tmp_path / "run", quiet=True, moving=False)
        before = len(saved)
        monkeypatch.setattr("hepgrad.workflows.execution.write_report", lambda *arguments: None)
        again = run(blinded, output=tmp_path / "run", quiet=True, resume=True, moving=False)
    assert before == 3
    for one, other in zip(again.folds, result.folds, strict=True):
        assert one.parameters.to_dict() == other.parameters.to_dict()
        np.testing.assert_equal(
            [dataclasses.asdict(r) for r in one.attempts[0].history],
            [dataclasses.asdict(r) for r in other.attempts[0].history],
        )
    assert again.optimum.hard_held_out.objective == result.optimum.hard_held_out.objective


def test_learned_edges_are_those_of_the_fold(workflow, tmp_path):
    """The script fills each fold in its own bins, and adds them bin by bin."""
    channel = dataclasses.replace(workflow.analysis.channels[0], edges="bins")
    specs = {**workflow.parameters.specs, "bins": Edges([50.0, 200.0, 350.0, 500.0, 650.0])}
    learned = dataclasses.replace(
        workflow,
        analysis=dataclasses.replace(workflow.analysis, channels=[channel]),
        parameters=Parameters(**specs),
        processes=list(workflow.processes),
        source=None,
        plots=(),
    )
    every = [learned.parameters.replace(bins=[50.0, 200.0 + 20 * i, 350.0, 500.0, 650.0]) for i in range(K)]
    found, fileset = located(learned)
    (tmp_path / "selection.py").write_text(selection_script(found, every, fileset))
    filled = runpy.run_path(str(tmp_path / "selection.py"))["histograms"](workflow.data / "fileset.json")
    with jax.enable_x64(True):
        events = load_folds(found, fileset)
        parts = [found.analysis.histograms(events.alone(n), at, Hard())["ht"].sumw for n, at in enumerate(every)]
    total = sum(np.asarray(part, float) for part in parts)
    for row, process in enumerate(events.data.processes):
        np.testing.assert_allclose(filled["ht", process].values(flow=True), total[row], rtol=1e-6)


def test_what_cannot_be_cross_fitted(workflow, tiny_events, tmp_path):
    without = dataclasses.replace(workflow, data=tiny_events, processes=list(workflow.processes), source=None)
    with pytest.raises(InputError, match="event"):
        load_folds(without, Fileset.load(tiny_events))
    with pytest.raises(InputError, match="memory of one device, and this is to be done by OutOfCore: choose --backend"):
        load_folds(workflow, Fileset.load(workflow.data), backend="out-of-core", cache=tmp_path / "cache")
    with pytest.raises(InputError, match=r"cannot be cross-fitted; take fewer folds.*process 'signal': the 0 events"):
        load_folds(dataclasses.replace(workflow, folds=300), Fileset.load(workflow.data))
    with pytest.raises(ValueError, match="folds: expected a whole number of at least 1, got 0"):
        dataclasses.replace(workflow, folds=0)


def test_the_command_line_says_how_many(tiny, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("hepgrad.workflows.cli.subjects.run", lambda workflow, **how: asked.append(workflow.folds))
    assert main(["run", "tiny:TINY", "--folds", "5"]) == 0
    assert asked == [5]
    with pytest.raises(SystemExit):
        main(["run", "tiny:TINY", "--folds", "0"])
    assert "expected a positive whole number, got '0'" in capsys.readouterr().err
