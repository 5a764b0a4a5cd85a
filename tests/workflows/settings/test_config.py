"""Settings in files and on the command line: everything can be set, everything is checked, everything comes back."""

from __future__ import annotations

import dataclasses
import tomllib

import numpy as np
import pytest

from hepgrad.analysis import Edges, Parameters, Weights
from hepgrad.workflows.analyses.zprime import ZPRIME
from hepgrad.workflows.errors import InputError
from hepgrad.workflows.settings.config import (
    as_toml,
    configured,
    effective_settings,
    merged,
    parse_settings,
    read_settings,
)


def test_effective_settings_restore_the_workflow(tmp_path):
    changed = configured(
        ZPRIME,
        {
            "steps": 7,
            "learning_rate": 0.02,
            "replicas": 12,
            "skim": "loosest",
            "experiment": "CMS Open Data",
            "anneal": {"stop": 0.3},
            "parameters": {"met": 80.0, "btag": {"bounds": [0.2, 0.8], "frozen": True}},
            "processes": {"zprime": {"datasets": ["zprime_3000"]}},
        },
        origin="test",
    )
    file = tmp_path / "config.toml"
    file.write_text(as_toml(effective_settings(changed)))
    again = configured(ZPRIME, read_settings(file), origin=str(file))
    assert again.parameters.specs == changed.parameters.specs
    assert again.parameters.to_dict() == changed.parameters.to_dict()
    assert again.parameters.to_dict()["met"] == 80.0
    assert again.parameters.free == [name for name in ZPRIME.parameters if name != "btag"]
    assert (again.steps, again.learning_rate, again.anneal.start, again.anneal.stop) == (7, 0.02, 1.0, 0.3)
    assert [p.datasets for p in again.processes][:2] == [("zprime_3000",), ("ttbar",)]
    assert (again.replicas, again.skim, again.experiment) == (12, "loosest", "CMS Open Data")
    # nothing else has changed
    plain = dataclasses.replace(
        again,
        parameters=ZPRIME.parameters,
        steps=ZPRIME.steps,
        learning_rate=ZPRIME.learning_rate,
        anneal=ZPRIME.anneal,
        processes=ZPRIME.processes,
        replicas=ZPRIME.replicas,
        skim=ZPRIME.skim,
        experiment=ZPRIME.experiment,
    )
    assert plain == ZPRIME


def test_a_skim_that_is_a_function_stays_or_goes():
    workflow = dataclasses.replace(ZPRIME, skim=lambda events: events)
    settings = {"skim": effective_settings(workflow)["skim"]}
    assert settings["skim"] == "own"
    assert configured(workflow, settings, origin="test").skim is workflow.skim
    assert configured(workflow, {"skim": "none"}, origin="test").skim is None
    with pytest.raises(InputError, match="skim must be 'none' or 'loosest', got 'own'"):
        configured(dataclasses.replace(ZPRIME, skim=None), settings, origin="test")


def test_every_setting_can_be_written_on_the_command_line():
    settings = parse_settings(
        ["steps=5", "anneal.stop=0.5", "parameters.met=70", "parameters.met.width=3", "data=there"]
    )
    assert settings == {
        "steps": 5,
        "anneal": {"stop": 0.5},
        "parameters": {"met": {"value": 70, "width": 3}},
        "data": "there",
    }
    assert merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}) == {"a": {"b": 3, "c": 2}}
    workflow = configured(ZPRIME, settings, origin="--set")
    assert workflow.parameters.specs["met"].width == 3.0
    assert workflow.parameters.to_dict()["met"] == 70.0
    assert str(workflow.data) == "there"


def test_edges_and_weights():
    specs = {"bins": Edges([0, 1, 2, 4], narrowest=0.1), "net": Weights({"w": np.ones(3)})}
    workflow = dataclasses.replace(ZPRIME, parameters=Parameters(**specs))
    changed = configured(
        workflow, {"parameters": {"bins": [0, 1, 3, 4], "net": {"scale": 0.5, "frozen": True}}}, origin="test"
    )
    np.testing.assert_allclose(changed.parameters.to_dict()["bins"], [0, 1, 3, 4], rtol=1e-6)
    assert changed.parameters.free == ["bins"]
    np.testing.assert_array_equal(changed.parameters["net"]["w"], 1)
    assert "weights" not in effective_settings(changed)["parameters"]["net"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stps": 3}, "there is no setting 'stps'; did you mean 'steps'"),
        ({"parameters": {"mett": 3.0}}, "'parameters.mett'; did you mean 'parameters.met'"),
        ({"parameters": {"met": {"bound": [1, 2]}}}, "'parameters.met.bound'; did you mean 'parameters.met.bounds'"),
        ({"steps": 2.5}, "expected a whole number, got 2.5"),
        ({"steps": True}, "expected a whole number, got True"),
        ({"learning_rate": "fast"}, "expected a number, got 'fast'"),
        ({"anneal": 3}, "'anneal' must be a table"),
        ({"replicas": 1}, "the bootstrap needs at least two replicas, got 1"),
        ({"skim": "most"}, "skim must be 'none' or 'loosest'"),
        ({"steps": {"a": 1}}, "there is no setting|must be a value"),
        ({"anneal": {"stop": 2.0}}, "widths must be positive and shrink"),
        ({"parameters": {"met": 1000.0}}, "parameter 'met': .*outside the bounds"),
        ({"workflow": "other"}, "settings of the workflow 'other', not of 'zprime'"),
    ],
)
def test_mistakes_are_named(settings, message):
    with pytest.raises(InputError, match=f"my.toml: .*{message}"):
        configured(ZPRIME, settings, origin="my.toml")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="there is no configuration file"):
        read_settings(tmp_path / "no.toml")
    (tmp_path / "bad.toml").write_text("steps = ")
    with pytest.raises(InputError, match="is not a TOML file"):
        read_settings(tmp_path / "bad.toml")
    with pytest.raises(InputError, match="expected KEY=VALUE"):
        parse_settings(["steps"])
    assert tomllib.loads(as_toml(effective_settings(ZPRIME)))["workflow"] == "zprime"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("parameters.met.frozen=False", "parameters.met.frozen: expected true or false, got 'False'"),
        ("parameters.met.width='5'", "parameters.met.width: expected numbers, got '5'"),
        ("parameters.met.bounds=[1, nan]", r"parameters.met.bounds: expected numbers, got \[1, nan\]"),
        ("parameters.met.unit=3", "parameters.met.unit: expected a text, got 3"),
        ("parameters.met=[30, 40]", r"parameters.met: expected one number, got \[30, 40\]"),
        ("steps=0", "steps: expected a whole number of at least 1, got 0"),
        ("learning_rate=nan", "learning_rate: expected a number that is finite, got nan"),
        ("learning_rate=0", "learning_rate: expected a number above 0, got 0"),
        ("block_size=-5", "block_size: expected a whole number of at least 1, got -5"),
        ("block_size=9999999999", "block_size: expected a whole number of at most 2147483647, got 9999999999"),
        ("seed=-1", "seed: expected a whole number of at least 0, got -1"),
        ("luminosity=inf", "luminosity: expected a number that is finite, got inf"),
        ("anneal.stop='a'", "anneal.stop: expected a number, got 'a'"),
        ("processes.zprime.datasets=['a', 'a']", "process 'zprime' has the sample 'a' twice"),
        ("processes.zprime.datasets='a'", "processes.zprime.datasets: expected a list of names, got 'a'"),
        ("not_finite=dropp", "not_finite must be 'refuse' or 'drop' or 'keep', got 'dropp'"),
        ("skim=['own']", r"skim must be 'none' or 'loosest', got \['own'\]"),
        ("data=3", "data: expected a text, got 3"),
    ],
)
def test_types_and_ranges_are_checked_before_anything_is_read(assignment, message):
    with pytest.raises(InputError, match=f"--set: .*{message}"):
        configured(ZPRIME, parse_settings([assignment]), origin="--set")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "workflow 'zprime': steps: expected a whole number of at least 1, got 0"),
        ({"luminosity": float("nan")}, "workflow 'zprime': luminosity: expected a number that is finite"),
        ({"block_size": 2.5}, "workflow 'zprime': block_size: expected a whole number, got 2.5"),
        ({"not_finite": "ignore"}, "workflow 'zprime': not_finite must be one of refuse, drop, keep, got 'ignore'"),
    ],
)
def test_a_workflow_checks_its_numbers_itself(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(ZPRIME, **change)


@pytest.mark.parametrize(
    "key", ["anneal.stop", "luminosity", "learning_rate", "seed", "steps", "parameters.met.width", "parameters.met"]
)
@pytest.mark.parametrize("digits", [400, 5000])
def test_numbers_of_many_digits(key, digits):
    with pytest.raises(InputError, match=r"expected|must be"):
        configured(ZPRIME, parse_settings([f"{key}={'9' * digits}"]), origin="--set")
