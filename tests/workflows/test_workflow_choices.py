"""A run with choices: its folder, its script and its settings tell words and whole numbers."""

from __future__ import annotations

import dataclasses
import json

import jax
import pytest

from hepgrad.analysis import Analysis, Parameters, WholeNumber, WorkingPoint, stage
from hepgrad.workflows import InputError, run
from hepgrad.workflows.results.stored_result import StoredResult
from hepgrad.workflows.settings.config import configured, read_settings

pytestmark = [pytest.mark.usefixtures("quick_compilation"), pytest.mark.thorough]


@stage(reads=("Jet_pt", "MET_pt"))
def chosen_selection(events, cut):
    jets = events.Jet.select(events.Jet.pt > cut.jet_pt)
    events = events.select(events.MET.pt > cut.met, "missing momentum").select(jets.at_least(cut.jets), "jets")
    return events.with_field(ht=jets.sum("pt"))


@pytest.fixture(scope="module")
def workflow(tiny, tiny_events):
    base = tiny.TINY
    return dataclasses.replace(
        base,
        data=tiny_events,
        analysis=Analysis([chosen_selection], base.analysis.channels, base.analysis.model),
        parameters=Parameters(
            jet_pt=base.parameters.specs["jet_pt"],
            met=WorkingPoint({"loose": 20.0, "medium": 40.0, "tight": 70.0}, unit="GeV"),
            jets=WholeNumber(1, bounds=(1, 3)),
        ),
        steps=2,
        replicas=2,
    )


@pytest.fixture(scope="module")
def made(workflow, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "choices"
    with jax.enable_x64(True):
        return run(workflow, output=folder, quiet=True, moving=False), folder


def test_the_folder_tells_words_and_numbers(made):
    result, folder = made
    told = json.loads((folder / "parameters.json").read_text())
    assert told["met"]["start"] == "medium"
    assert told["met"]["optimum"] in ("loose", "medium", "tight")
    assert told["jets"]["optimum"] in (1, 2, 3)
    stored = StoredResult.read(folder).result
    assert stored.optimum.parameters.to_dict() == result.optimum.parameters.to_dict()
    assert str(stored) == str(result)


def test_the_script_selects_the_same(made):
    _, folder = made
    told = json.loads((folder / "run.json").read_text())["selection"]
    assert told.startswith("selection.py is the same selection in plain Awkward Array")
    optimum = json.loads((folder / "parameters.json").read_text())
    value = {"loose": 20.0, "medium": 40.0, "tight": 70.0}[optimum["met"]["optimum"]]
    script = (folder / "selection.py").read_text()
    assert f"met={value:g}," in script
    assert f"jets={optimum['jets']['optimum']}," in script


def test_settings_are_words_and_numbers(workflow, made):
    _, folder = made
    again = configured(workflow, read_settings(folder / "config.toml"), origin="the run")
    assert again.parameters.to_dict() == workflow.parameters.to_dict()
    assert again.parameters.specs == workflow.parameters.specs
    changed = configured(workflow, {"parameters": {"met": "tight", "jets": {"value": 3}}}, origin="here")
    assert changed.parameters.to_dict() == {**workflow.parameters.to_dict(), "met": "tight", "jets": 3}
    with pytest.raises(InputError, match=r"here: parameter 'met': there is no option 'huge'; there are loose \(20\)"):
        configured(workflow, {"parameters": {"met": "huge"}}, origin="here")
