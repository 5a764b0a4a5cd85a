"""What a run that goes on is compared by: nothing that decides a number is left out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from hepgrad.analysis import Anneal, CountingModel
from hepgrad.analysis.optimisation import differences
from hepgrad.workflows import FLAT, Era, Fileset, Layout, Process, Sample
from hepgrad.workflows.read import LumiMask
from hepgrad.workflows.settings.deciding import settings

# words, colours and control plots; the files count by their names, and the numbers that sources decide say themselves
WITHOUT_NUMBERS = {"title", "experiment", "data", "source", "plots"}
CHANGES = {
    "name": "other",
    "luminosity": 2.0,
    "energy": 7.0,
    "steps": 6,
    "learning_rate": 0.4,
    "weight_decay": 0.1,
    "anneal": Anneal(1.0, 0.4),
    "check_every": 3,
    "block_size": 256,
    "draws": 1,
    "starts": 2,
    "seed": 1,
    "layout": Layout(factors={"Jet_pt": 0.001}),
    "layouts": {"top": Layout(branches={"Jet_pt": "jets_pt"})},
    "tree": "Other",
    "cross_sections": {"top": 2.0},
    "replicas": 3,
    "skim": "loosest",
    "not_finite": "drop",
    "folds": 3,
}


def told(workflow, fileset):
    """Return the settings as JSON holds them."""
    return json.loads(json.dumps(settings(workflow, fileset)))


@pytest.fixture
def fileset():
    sample = Sample("top", ("a.root",), Path("fileset.json"), sum_of_weights=10.0)
    return Fileset(Path("fileset.json"), {n: dataclasses.replace(sample, name=n) for n in ("top", "signal", "other")})


@pytest.fixture
def workflow(tiny):
    processes = [Process("signal", signal=True), Process("top")]
    return dataclasses.replace(tiny.TINY, processes=processes, cross_sections={"top": 1.0, "other": 5.0})


def test_every_field_of_a_workflow(workflow, fileset):
    """A new field fails here until it is among the settings, or among those that decide nothing."""
    changes = {
        **CHANGES,
        "analysis": dataclasses.replace(workflow.analysis, model=CountingModel(["signal"], 0.2)),
        "eras": {"all": Era(workflow.luminosity)},
        "parameters": workflow.parameters.replace(met=30.0),
        "processes": [*workflow.processes, Process("more", datasets=("other",))],
        "shared": ["met"],
    }
    assert set(changes) | WITHOUT_NUMBERS == {field.name for field in dataclasses.fields(workflow)}
    before = told(workflow, fileset.with_cross_sections(workflow.cross_sections))
    for name, value in changes.items():
        changed = dataclasses.replace(workflow, **{name: value})
        assert differences(told(changed, fileset.with_cross_sections(changed.cross_sections)), before), name
    for name, value in {"title": "other", "experiment": "other", "data": Path("other")}.items():
        assert told(dataclasses.replace(workflow, **{name: value}), fileset.with_cross_sections({"top": 1.0})) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"files": ("b.root",)},
        {"cross_section": 2.0},
        {"sum_of_weights": 11.0},
        {"weight": "other"},
        {"luminosity": 3.0},
        {"keep": (LumiMask("golden.json", ((1, 2, 3),)),)},
    ],
)
def test_what_a_sample_is(changes, workflow, fileset):
    changed = dataclasses.replace(fileset["top"], **changes)
    found = differences(
        told(workflow, dataclasses.replace(fileset, samples={**fileset.samples, "top": changed})),
        told(workflow, fileset),
    )
    assert found and all(name.startswith("processes.top.datasets.top.") for name in found)


def test_whose_cross_section_it_is(workflow, fileset):
    fileset = fileset.with_cross_sections(workflow.cross_sections)
    other = dataclasses.replace(workflow, processes=[workflow.processes[0], Process("top", cross_section_of="other")])
    found = differences(told(other, fileset), told(workflow, fileset))
    assert found == ["processes.top.cross_section_of", "processes.top.datasets.top.xsec_pb"]


def test_numbers_of_numpy_and_layouts_can_be_told(workflow, fileset):
    odd = dataclasses.replace(workflow, steps=np.int64(4), luminosity=np.float32(2), layout=FLAT)
    assert type(odd.steps) is int and type(odd.luminosity) is float
    assert told(odd, fileset)["steps"] == 4
    assert told(odd, fileset)["layout"]["separator"] == ""
