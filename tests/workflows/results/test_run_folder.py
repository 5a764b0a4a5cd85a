"""Run folders: nothing of the user's is lost, and what is written can be read again."""

from __future__ import annotations

import contextlib
import csv
import json
import subprocess
import sys
import time

import hist
import numpy as np
import pytest
import uproot

from hepgrad.workflows import InputError, RunFolder, read_histograms

pytestmark = pytest.mark.thorough


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# ------------------------------------------------------------------------------------------------------- the folder


def test_creates_parents_and_takes_an_empty_folder(tmp_path):
    assert names(RunFolder.create(tmp_path / "a" / "b").path) == ["run.json"]
    (tmp_path / "empty").mkdir()
    assert names(RunFolder.create(tmp_path / "empty").path) == ["run.json"]


def test_refuses_a_folder_with_content(tmp_path):
    RunFolder.create(tmp_path / "run")
    message = r"output folder .*run exists and is not empty; replace the earlier run with --overwrite .* with --output"
    with pytest.raises(InputError, match=message):
        RunFolder.create(tmp_path / "run")


def test_refuses_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file exists and is not a folder"):
        RunFolder.create(tmp_path / "file", overwrite=True)


@pytest.mark.parametrize("run_file", [None, "[]", "{broken", '{"format": "something else", "files": ["notes.txt"]}'])
def test_overwrite_leaves_other_folders_alone(tmp_path, run_file):
    (tmp_path / "notes.txt").write_text("my notes")
    if run_file is not None:
        (tmp_path / "run.json").write_text(run_file)
    before = names(tmp_path)
    with pytest.raises(InputError, match=r"is not the folder of an earlier run .* nothing in it is removed"):
        RunFolder.create(tmp_path, overwrite=True)
    assert names(tmp_path) == before


def test_overwrite_removes_the_earlier_run_and_nothing_else(tmp_path):
    folder = RunFolder.create(tmp_path)
    folder.write_text("plots/old.svg", "old")
    folder.finish({"status": "finished"})
    (tmp_path / "notes.txt").write_text("my notes")
    RunFolder.create(tmp_path, overwrite=True)
    assert names(tmp_path) == ["notes.txt", "run.json"]


def test_overwrite_removes_nothing_outside(tmp_path):
    (tmp_path / "precious.txt").write_text("precious")
    folder = RunFolder.create(tmp_path / "run")
    folder.files += ["../precious.txt", str(tmp_path / "precious.txt")]
    folder.finish({})
    RunFolder.create(tmp_path / "run", overwrite=True)
    assert (tmp_path / "precious.txt").exists()


def test_files_are_written_whole_or_not_at_all(tmp_path):
    folder = RunFolder.create(tmp_path)
    folder.write_text("table.csv", "complete")
    with pytest.raises(RuntimeError), folder.writing("table.csv") as path:
        path.write_text("half of")
        raise RuntimeError("the power went out")
    assert (tmp_path / "table.csv").read_text() == "complete"
    assert names(tmp_path) == ["run.json", "table.csv"]


# ---------------------------------------------------------------------------------------------------- what is in it


def test_everything_is_there_and_listed(finished):
    _, _, folder = finished
    drawn = ("ht", "objective", "overtraining-ht", "parameters", "profiles")
    plots = [f"plots/{name}.{suffix}" for name in drawn for suffix in ("pdf", "png")]
    # the numbers of the others are in history.csv
    plots += ["plots/ht.csv", "plots/overtraining-ht.csv", "plots/profiles.csv"]
    tables = ["config.toml", "cutflow.csv", "history.csv", "parameters.json", "result.json", "run.json", "selection.py"]
    tables += ["parameters.csv", "report.json", "histograms.json", "histograms.root", "report.html", "cutflow.tex"]
    tables += ["robustness.json", "simpler.json"]
    expected = sorted([*tables, *plots])
    assert names(folder) == expected
    assert json.loads((folder / "run.json").read_text())["files"] == expected


def test_run_file_tells_how_to_repeat_it(finished):
    _, _, folder = finished
    facts = json.loads((folder / "run.json").read_text())
    assert facts["status"] == "finished"
    assert facts["workflow"] == "tiny"
    assert facts["data"] == "events"
    assert (facts["steps"], facts["block_size"], facts["luminosity_per_pb"]) == (5, 512, 1000.0)
    assert facts["anneal"] == {"start": 1.0, "stop": 0.5}
    assert facts["processes"]["multijet"]["datasets"]["multijet_low"]["files"] == ["multijet_low.root"]
    assert {"hepgrad", "jax", "python"} <= set(facts["versions"])


def test_parameters(finished):
    _, result, folder = finished
    table = json.loads((folder / "parameters.json").read_text())
    assert list(table) == ["jet_pt", "met", "ht"]
    assert table["met"] == {
        "start": 20.0,
        "optimum": pytest.approx(float(result.optimum.parameters["met"])),
        "bounds": [10, 100],
        "unit": "GeV",
        "width": 10.0,
        "scale": 9.0,
        "frozen": False,
        "label": "met",
        "description": "",
    }


def test_history_has_a_row_a_step(finished):
    _, result, folder = finished
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(5))
    told = {"descent", "step", "objective", "width", "bandwidth", "hard_objective", "validation_objective"}
    told.add("failed_fits")
    names = ["jet_pt", "met", "ht"]
    assert rows[0].keys() == {*told, *names, *(f"slope:{name}" for name in names)}
    assert [bool(row["hard_objective"]) for row in rows] == [False, True, False, True, True]
    for row, record in zip(rows, result.history, strict=True):
        assert float(row["objective"]) == record.objective
        assert float(row["met"]) == record.values["met"]
        assert float(row["slope:met"]) == record.slopes["met"]


def test_result_file(finished):
    _, result, folder = finished
    told = json.loads((folder / "result.json").read_text())
    assert told["optimum"]["hard_held_out"]["objective"] == result.optimum.hard_held_out.objective
    assert told["start"]["soft_train"]["yields"] == result.start.soft_train.yields
    assert told["gain_hard_held_out"] == result.gain


def test_cutflow_agrees_with_numpy(finished, tiny):
    """The starting cuts, applied to the events of one sample by hand."""
    _, _, folder = finished
    with (folder / "cutflow.csv").open() as file:
        key = ("start", "hard", "top")
        rows = [row for row in csv.DictReader(file) if (row["point"], row["reading"], row["process"]) == key]
    branches = {name: values[1::2] for name, values in tiny.draw("top").items()}
    scale = 2 * 1.5 * 1000.0 / (1.25 * tiny.draw("top")["genWeight"].sum(dtype=float))
    ht = np.array([sum(pt for pt in jets if pt > 30) for jets in branches["Jet_pt"].tolist()])
    passed = np.stack([np.ones(300, bool), branches["MET_pt"] > 20, (branches["MET_pt"] > 20) & (ht > 60)])
    weight = scale * branches["genWeight"]
    assert [row["step"] for row in rows] == ["all events", "missing momentum", "jet activity"]
    assert [int(row["raw"]) for row in rows] == passed.sum(axis=1).tolist()
    np.testing.assert_allclose([float(row["weighted"]) for row in rows], passed @ weight, rtol=1e-5)
    spread = np.sqrt(passed @ weight**2)
    np.testing.assert_allclose([float(row["weighted_uncertainty"]) for row in rows], spread, rtol=1e-5)
    # without one of the two selections only the other one is left
    left_out = np.stack([passed[2], ht > 60, branches["MET_pt"] > 20])
    assert [int(row["n_minus_1_raw"]) for row in rows] == left_out.sum(axis=1).tolist()
    np.testing.assert_allclose([float(row["n_minus_1_weighted"]) for row in rows], left_out @ weight, rtol=1e-5)


def test_histograms_come_back_as_hist_objects(finished):
    _, result, folder = finished
    histograms = read_histograms(folder)
    assert len(histograms) == 3 * 2 * 4
    histogram = histograms["ht/top/optimum/hard_held_out"]
    assert isinstance(histogram, hist.Hist)
    assert histogram.axes[0].name == "ht"
    assert histogram.axes[0].label == "$H_T$ [GeV]"
    counts = result.optimum.hard_held_out.histograms["ht"][1]
    np.testing.assert_array_equal(histogram.values(flow=True), counts.sumw)
    np.testing.assert_array_equal(histogram.variances(flow=True), counts.sumw2)
    assert histogram.sum(flow=True).value == pytest.approx(result.optimum.hard_held_out.yields["top"], rel=1e-5)


def test_root_file_has_the_same_histograms(finished):
    _, _, folder = finished
    histograms = read_histograms(folder / "histograms.json")
    with uproot.open(folder / "histograms.root") as file:
        stored = {name.partition(";")[0] for name, kind in file.classnames().items() if kind.startswith("TH1")}
        assert stored == set(histograms)
        for name, histogram in histograms.items():
            np.testing.assert_array_equal(file[name].values(flow=True), histogram.values(flow=True))
            np.testing.assert_array_equal(file[name].variances(flow=True), histogram.variances(flow=True))


def test_histograms_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match=r"there is no .*histograms\.json; give the folder of a run that has finished"):
        read_histograms(tmp_path)
    (tmp_path / "histograms.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match="does not hold histograms"):
        read_histograms(tmp_path)


def test_parameters_as_a_table(finished):
    _, result, folder = finished
    with (folder / "parameters.csv").open() as file:
        rows = {row["parameter"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["jet_pt", "met", "ht"]
    assert rows["met"] == {
        "parameter": "met",
        "start": "20.0",
        "optimum": str(float(result.optimum.parameters["met"])),
        "lowest": "10.0",
        "highest": "100.0",
        "unit": "GeV",
        "frozen": "False",
        "label": "met",
    }


def test_soft_cutflow_agrees_with_numpy(finished, tiny):
    """A sigmoid for the first cut: it looks at one quantity of the event."""
    workflow, _, folder = finished
    with (folder / "cutflow.csv").open() as file:
        key = ("start", "soft", "top", "missing momentum")
        names = ("point", "reading", "process", "step")
        (row,) = [row for row in csv.DictReader(file) if tuple(row[name] for name in names) == key]
    branches = {name: values[1::2] for name, values in tiny.draw("top").items()}
    width = workflow.anneal.stop * workflow.parameters.specs["met"].width
    p = 1 / (1 + np.exp(-(branches["MET_pt"].astype(float) - 20.0) / width))
    weight = 2 * 1.5 * 1000.0 / (1.25 * tiny.draw("top")["genWeight"].sum(dtype=float)) * branches["genWeight"]
    assert float(row["raw"]) == pytest.approx(p.sum(), rel=1e-5)
    assert float(row["weighted"]) == pytest.approx(p @ weight, rel=1e-5)
    assert float(row["weighted_uncertainty"]) == pytest.approx(np.sqrt(p @ weight**2), rel=1e-5)


# ----------------------------------------------------------------------------------------------- killed at any moment


def test_a_folder_is_complete_or_recognisably_incomplete_at_every_moment(tmp_path):
    """A second run replaces a first one, file by file; after each change on disk the folder must say what it is."""
    states = []

    class Watched(RunFolder):
        """Looks at the folder before each file is written and after each is in its place."""

        def look(self):
            facts = json.loads((self.path / "run.json").read_text())
            there = [name for name in names(self.path) if name != "notes.txt" and not name.endswith(".part")]
            # whatever the run has left is known to be its own, so that the next run can remove it
            assert set(there) <= set(facts["files"])
            assert facts["status"] == "unfinished" or set(there) == set(facts["files"])
            states.append(facts["status"])

        @contextlib.contextmanager
        def writing(self, name):
            with super().writing(name) as path:
                if (self.path / "run.json").exists():
                    self.look()
                yield path
            self.look()

    for content in ("first", "second"):
        folder = Watched.create(tmp_path, overwrite=True)
        (tmp_path / "notes.txt").write_text("my notes")
        for name in ("a.json", "plots/b.svg", f"{content}.csv"):
            folder.write_text(name, content)
        folder.finish({"status": "finished"})
        assert states[-1] == "finished"
    assert names(tmp_path) == ["a.json", "notes.txt", "plots/b.svg", "run.json", "second.csv"]
    assert states.count("finished") == 3  # twice at the end, and once before the second run began


WRITER = """
import sys
from hepgrad.workflows import RunFolder
print("ready", flush=True)
for number in range(10**6):
    folder = RunFolder.create(sys.argv[1], overwrite=True)
    for name in ("a.csv", "plots/b.svg", f"c{number}.json"):
        folder.write_text(name, name * 20_000)
    folder.finish({"status": "finished"})
"""


@pytest.mark.parametrize("seed", range(4))
def test_killed_while_results_are_written(tmp_path, seed):
    """By a signal that no program can catch: a folder that says it is finished is, and any other one can be reused."""
    path = tmp_path / "run"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"ready\n"
    time.sleep(float(np.random.default_rng(seed).uniform(0.05, 0.4)))
    writer.kill()
    writer.wait()
    writer.stdout.close()
    if path.exists() and "run.json" in names(path):
        facts = json.loads((path / "run.json").read_text())
        if facts["status"] == "finished":
            assert all((path / name).exists() for name in facts["files"])
            sizes = {
                (path / name).stat().st_size == len(name) * 20_000 for name in facts["files"] if name != "run.json"
            }
            assert sizes == {True}
        else:
            with pytest.raises(InputError, match="was broken off"):
                RunFolder.open(path)
    RunFolder.create(path, overwrite=True).finish({"status": "finished"})
    assert names(path) == ["run.json"]
