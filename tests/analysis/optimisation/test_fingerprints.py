"""What a description of an analysis notices: any change that changes numbers, and nothing else."""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis import Analysis, Channel, CountingModel, Parameter, Parameters, Regular, Stage, Weights
from hepgrad.analysis.optimisation import differences, fingerprint

LIMIT = 2.4


def helper(events):
    return events


def made(limit):
    def select(events, cut):
        return helper(events).select(abs(events.x) < limit * LIMIT)

    return select


def method(events, cut, factor=1.0):
    return events


@dataclasses.dataclass(frozen=True)
class Scaled:
    factor: float
    table: np.ndarray = dataclasses.field(default_factory=lambda: np.arange(3.0), compare=False)

    def __call__(self, events, cut):
        return events


def analysis(*functions, **changes) -> Analysis:
    stages = [Stage(f"stage{i}", function) for i, function in enumerate(functions or [made(1.0)])]
    kwargs = {"channels": [Channel("a", "x", Regular(5, 0, 1))], "model": CountingModel(["s"], 0.1)}
    return Analysis(stages, **{**kwargs, **changes})


CUTS = Parameters(
    met=Parameter(50.0, bounds=(20, 150), width=5.0, unit="GeV", label="MET"),
    eta=Parameter(2.4, bounds=(1, 3), frozen=True),
    net=Weights({"w": jnp.ones(3)}),
)


def changed(name, **fields):
    return Parameters(**{**CUTS.specs, name: dataclasses.replace(CUTS.specs[name], **fields)})


@pytest.mark.thorough
def test_it_is_json_and_the_same_in_another_process():
    """Hashes must not depend on memory addresses or on Python's random string hashes."""
    told = fingerprint(analysis(made(1.0), functools.partial(method, factor=2.0)), CUTS)
    assert json.loads(json.dumps(told)) == told
    code = (
        "import importlib.util, json, sys;"
        f"spec = importlib.util.spec_from_file_location('fingerprinted', {__file__!r});"
        "module = importlib.util.module_from_spec(spec); sys.modules['fingerprinted'] = module;"
        "spec.loader.exec_module(module); m = module;"
        "print(json.dumps(m.fingerprint(m.analysis(m.made(1.0), m.functools.partial(m.method, factor=2.0)), m.CUTS)))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert differences(json.loads(other), told) == []


@pytest.mark.parametrize(
    ("name", "fields", "found"),
    [
        ("met", {"bounds": (20, 100)}, ["parameters.met.bounds"]),
        ("met", {"width": 6.0}, ["parameters.met.width"]),
        (
            "met",
            {"scale": 1.0, "frozen": True},
            ["parameters.met.frozen", "parameters.met.scale", "parameters.met.value"],
        ),
        ("eta", {"value": 2.1}, ["parameters.eta.value"]),
        ("net", {"scale": 1.0}, ["parameters.net.scale"]),
        ("met", {"value": 60.0, "unit": "TeV", "label": "x", "description": "y"}, []),
        ("net", {"value": {"w": jnp.zeros(3)}}, []),
    ],
)
def test_parameters(name, fields, found):
    one, other = (fingerprint(analysis(), parameters) for parameters in (CUTS, changed(name, **fields)))
    assert differences(one, other) == found


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (made(1.0), made(2.0), ["stages.stage0.function.limit"]),
        (Scaled(1.0), Scaled(2.0), ["stages.stage0.function.factor"]),
        (Scaled(1.0), Scaled(1.0, np.zeros(3)), ["stages.stage0.function.table"]),
        (functools.partial(method, factor=1.0), functools.partial(method, factor=2.0), ["stages.stage0.function"]),
        (eval("lambda events, cut: events"), eval("lambda events, cut: cut"), ["stages.stage0.function.source"]),
        (eval("lambda events, cut: events"), eval("lambda events, cut: events"), []),
        (made(1.0), made(1.0), []),
    ],
    ids=["enclosed", "field", "array", "partial", "byte code", "same byte code", "same"],
)
def test_stages(one, other, found):
    assert differences(*(fingerprint(analysis(function), CUTS) for function in (one, other))) == found


def test_constants_and_helpers_of_the_module(monkeypatch):
    before = fingerprint(analysis(), CUTS)
    monkeypatch.setitem(globals(), "LIMIT", 2.5)
    monkeypatch.setitem(globals(), "helper", lambda events: events)
    after = fingerprint(analysis(), CUTS)
    assert differences(before, after) == ["stages.stage0.function.LIMIT", "stages.stage0.function.helper.source"]


def test_channels_and_model():
    before = fingerprint(analysis(), CUTS)
    axis = fingerprint(analysis(channels=[Channel("a", "x", Regular(6, 0, 1), bandwidth=0.1)]), CUTS)
    assert [path.split(".")[:3] for path in differences(before, axis)] == [
        ["channels", "a", "axis"],
        ["channels", "a", "bandwidth"],
    ]
    model = fingerprint(analysis(model=CountingModel(["s"], 0.2)), CUTS)
    assert differences(before, model) == ["model.background_uncertainty"]
    assert differences(before, fingerprint(analysis().freeze("stage0"), CUTS)) == ["frozen"]
