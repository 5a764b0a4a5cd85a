"""Collision data in one line: blinded until asked, then in the plots; control plots before and after each cut."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
import types

import awkward as ak
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis import Channel, Regular
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.systematics import Normalisation, WeightSet, decorrelated
from hepgrad.workflows import InputError, Process, run
from hepgrad.workflows.execution import load_events, located
from hepgrad.workflows.results.control import CONTROL_COLUMNS, control_rows

pytestmark = pytest.mark.usefixtures("quick_compilation")

PLOTS = [
    Channel("met", "MET.pt", Regular(4, 0.0, 200.0, label="missing $p_T$", unit="GeV")),
    Channel("lead", "leading(Jet.pt, fill_value=0)", Regular(3, 0.0, 300.0)),
]


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
    return dataclasses.replace(
        tiny.TINY,
        data=folder,
        processes=[*tiny.TINY.processes, Process("data", datasets=["run_b"], observed=True)],
        plots=PLOTS,
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
    observed = found.source.observed(found, fileset)
    assert observed.numbers == {"data": 600}
    assert np.asarray(observed.weight).sum() == 600


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


def numbers_of(table, column, **wanted):
    return np.array([float(row[column]) for row in table if all(row[key] == value for key, value in wanted.items())])


def test_the_band_is_statistics_and_all_sources(workflow):
    """20 % of top where the fit counts, half of an envelope of 30 % of it, 10 % of everything; nothing is observed."""
    (channel,) = workflow.analysis.channels
    sources = [
        decorrelated(Normalisation("top_norm", 0.2, ["top"]), channels=[channel.name]),
        WeightSet(
            "scale", lambda events: 1.3 * jnp.ones((*events.weight.shape, 1)), [0], "envelope", processes=["top"]
        ),
        Normalisation("lumi", 0.1),
    ]
    model = TemplateModel(["signal"], sources)
    found, fileset = located(
        dataclasses.replace(workflow, analysis=dataclasses.replace(workflow.analysis, model=model), plots=PLOTS[:1])
    )
    steps = types.SimpleNamespace(steps=("all events", "missing momentum", "jet activity"))
    optimum = types.SimpleNamespace(parameters=workflow.parameters, cutflow=steps)
    result = types.SimpleNamespace(optimum=optimum, judging=[workflow.parameters])
    told = control_rows(found, result, load_events(found, fileset).held_out)
    table = [dict(zip(CONTROL_COLUMNS, row, strict=True)) for row in told]
    assert {row["kind"] for row in table} == {"process", "prediction"}
    for step in steps.steps:
        top = numbers_of(table, "events", step=step, process="top")
        whole, systematic = (numbers_of(table, name, step=step, kind="prediction") for name in ("events", "systematic"))
        np.testing.assert_allclose(systematic, np.hypot(np.hypot(0.2, 0.15) * top, 0.1 * whole), rtol=1e-5)
        parts = [numbers_of(table, "statistical", step=step, process=process.name) for process in workflow.processes]
        together = numbers_of(table, "statistical", step=step, kind="prediction")
        np.testing.assert_allclose(together, np.sqrt(np.sum(np.square(parts), axis=0)), rtol=1e-5)
        assert whole[0] > whole[-1] > 0


def test_a_plot_of_what_there_is_not_is_found_before_anything_is_optimised(workflow, tmp_path, monkeypatch):
    monkeypatch.setattr("hepgrad.workflows.execution.optimize", lambda *_, **__: pytest.fail("it was optimised"))
    plots = [*PLOTS, Channel("x", "leading(Jet.ptt)", Regular(2, 0, 1))]
    told = r"control plot of 'leading\(Jet\.ptt\)' cannot be filled: no field 'ptt' .* did you mean 'pt'\?"
    with pytest.raises(InputError, match=told):
        run(dataclasses.replace(workflow, plots=plots), output=tmp_path / "run", quiet=True)


def files_of(folder):
    """The files of a run, without what says when it was made and with which files."""
    told = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".root":  # ROOT files hold the time; their numbers are those of the JSON
            text = path.read_bytes()
            for pattern in (
                rb'"(finished|seconds)[^\n]*',
                rb"&quot;(finished|seconds)[^\n]*",
                rb'<p class="facts">[^\n]*',
            ):
                text = re.sub(pattern, b"", text)
            told[path.relative_to(folder).as_posix()] = text
    return told


@pytest.mark.thorough
def test_while_they_are_blinded_no_file_of_a_run_depends_on_them(workflow, tiny, tmp_path):
    """To the bit: report, plots, tables, workspace and all others are the same whatever was observed."""
    told, branches = [], {name: values for name, values in tiny.draw("top").items() if name != "genWeight"}
    folder = tmp_path / "events"
    shutil.copytree(workflow.data, folder)
    for number, kept in enumerate((1, 3)):
        (folder / "run_b.root").unlink()
        tiny.write_tree(folder / "run_b.root", {name: values[::kept] for name, values in branches.items()})
        run(dataclasses.replace(workflow, data=folder), output=tmp_path / "run", quiet=True, overwrite=number > 0)
        told.append(files_of(tmp_path / "run"))
    assert list(told[0]) == list(told[1])
    assert [name for name in told[0] if told[0][name] != told[1][name]] == []
    assert {"report.html", "control.csv", "histograms.json", "result.json", "cutflow.csv"} <= set(told[0])
    assert not any("observed" in name for name in told[0])


@pytest.mark.slow
def test_once_asked_they_are_in_the_plots(workflow, tiny, tmp_path):
    result = run(workflow, output=tmp_path / "seen", quiet=True, unblind=True)
    with (tmp_path / "seen" / "control.csv").open() as file:
        table = [row for row in csv.DictReader(file) if row["kind"] == "data"]
    met, jets = (ak.to_numpy(tiny.draw("top")["MET_pt"]), tiny.draw("top")["Jet_pt"])
    cuts = result.optimum.parameters
    passed = (met > float(cuts["met"])) & (ak.sum(jets[jets > float(cuts["jet_pt"])], axis=1) > float(cuts["ht"]))
    edges = np.linspace(0, 200, 5)
    everything, selected = (numbers_of(table, "events", plot="met", step=s) for s in ("all events", "jet activity"))
    np.testing.assert_array_equal(everything, np.histogram(met, edges)[0])
    np.testing.assert_array_equal(selected, np.histogram(met[ak.to_numpy(passed)], edges)[0])
    leading = np.histogram(ak.fill_none(ak.max(jets, axis=1), 0), [0, 100, 200, 300])[0]
    np.testing.assert_array_equal(numbers_of(table, "events", plot="lead", step="all events"), leading)
    assert len(list((tmp_path / "seen" / "plots").glob("control-met-*.pdf"))) == 3
    assert 'id="control-plots"' in (tmp_path / "seen" / "report.html").read_text()
