"""Unblinding: only when it is asked for, and what is observed goes to the run folder and into the report."""

from __future__ import annotations

import dataclasses
import json
import types

import jax
import numpy as np
import pytest

from hepgrad.analysis import ABCD, Counts, Dataset, FitError
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.workflows import (
    Fileset,
    InputError,
    InputWarning,
    Process,
    Sidebands,
    load,
    read_events,
    read_histograms,
    run,
)
from hepgrad.workflows.read import simulated
from hepgrad.workflows.results.observation import check_sidebands, observe
from hepgrad.workflows.workflow import EventSource

pytestmark = pytest.mark.usefixtures("quick_compilation")


@dataclasses.dataclass(frozen=True)
class Watched(EventSource):
    """The events of the tiny workflow; those of one simulated sample stand in for what is observed."""

    asked: list[str] = dataclasses.field(default_factory=list, compare=False)

    def settings(self):
        return {"kind": "watched"}

    def fileset(self, data):
        return Fileset.load(data)

    def luminosity(self, fileset):
        return 500.0

    def ingredients(self, workflow, fileset):
        return simulated(workflow.processes, fileset, workflow.luminosity)

    def observed(self, workflow, fileset):
        self.asked.append(workflow.name)
        return observed_events(workflow, fileset)


def observed_events(workflow, fileset):
    events = read_events(fileset["top"].files, workflow.analysis.reads)
    return Dataset.from_awkward({"data": events}, {"data": np.ones(len(events))}, block_size=250)


def test_simulation_alone_has_nothing_to_unblind(tiny, tiny_events, tmp_path):
    with pytest.raises(InputError, match="'tiny' has no observed events, there is nothing to unblind"):
        run(tiny.TINY, data=tiny_events, output=tmp_path / "run", quiet=True, unblind=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.thorough
def test_observed_events_are_read_only_to_unblind(tiny, tiny_events, tmp_path):
    source = Watched()
    workflow = dataclasses.replace(tiny.TINY, data=tiny_events, source=source, steps=1, replicas=2)
    run(workflow, output=tmp_path / "blind", quiet=True)
    assert source.asked == []
    assert not (tmp_path / "blind" / "observed.json").exists()
    assert not [name for name in read_histograms(tmp_path / "blind") if "observed" in name]
    assert "Blinded" in (tmp_path / "blind" / "report.html").read_text()

    run(workflow, output=tmp_path / "open", quiet=True, unblind=True)
    assert source.asked == ["tiny"]
    facts = json.loads((tmp_path / "open" / "run.json").read_text())
    assert facts["unblinded"] is True
    # the prediction is normalised to the luminosity of what is observed
    assert facts["luminosity_per_pb"] == 500.0
    numbers = json.loads((tmp_path / "open" / "observed.json").read_text())
    # a counting model has no fit
    assert numbers["observed"] is None and numbers["expected"] is None
    branches = tiny.draw("top")
    ht = np.array([sum(pt for pt in jets if pt > 30) for jets in branches["Jet_pt"].tolist()])
    passed = (branches["MET_pt"] > 20) & (ht > 60)
    assert numbers["events"]["start"] == {"ht": passed.sum()}
    histogram = read_histograms(tmp_path / "open")["ht/data/start/observed"]
    assert histogram.sum(flow=True).value == passed.sum()
    page = (tmp_path / "open" / "report.html").read_text()
    assert "Blinded" not in page
    assert "Points are the observed events" in page


@pytest.mark.thorough
def test_a_fit_that_fails_does_not_lose_what_was_observed(finished, monkeypatch):
    workflow, result, _ = finished
    analysis = dataclasses.replace(workflow.analysis, model=TemplateModel(("signal",)))
    fileset = Fileset.load(workflow.data)
    held_out = load(fileset, workflow.processes, analysis.reads, luminosity=workflow.luminosity).held_out

    def fail(model, data):
        raise FitError("the fit did not converge")

    monkeypatch.setattr("hepgrad.workflows.results.observation.fit", fail)
    with pytest.warns(InputWarning, match="the signal strength could not be determined: the fit did not converge"):
        observation = observe(analysis, observed_events(workflow, fileset), result, held_out)
    assert observation.tables() == []
    assert jax.tree.leaves(observation.optimum["ht"])[0].sum() > 0


def test_sidebands_that_reach_into_the_signal_region_stop_a_run():
    def result(here):
        counts = np.array([[0.0, 4.0, 0.0], [0.0, here, 0.0]])
        point = types.SimpleNamespace(hard_held_out=types.SimpleNamespace(histograms={"A": Counts(counts, counts)}))
        return types.SimpleNamespace(start=point, optimum=point)

    model = types.SimpleNamespace(systematics=(ABCD("multijet"),))
    multijet = Process("multijet", estimate=Sidebands(lambda events: events.x > 1, reads="x"))
    workflow = types.SimpleNamespace(processes=[multijet], analysis=types.SimpleNamespace(model=model))
    about = types.SimpleNamespace(processes=("signal", "multijet"))
    check_sidebands(workflow, about, result(0.0))
    with pytest.raises(InputError, match=r"sidebands of 'multijet' reach into the signal region 'A'.*`blinded`"):
        check_sidebands(workflow, about, result(1.0))
