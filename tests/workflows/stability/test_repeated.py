"""Searches that are repeated: one program, other events and starts, and what the data determine."""

from __future__ import annotations

import json

import awkward as ak
import numpy as np
import optax
import pytest

from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Dataset,
    Parameter,
    Parameters,
    Regular,
    Split,
    optimize,
    stage,
)
from hepgrad.analysis.optimisation import search
from hepgrad.workflows.stability.repeated import RepeatedSearch, repeat_search

pytestmark = [pytest.mark.usefixtures("quick_compilation"), pytest.mark.thorough]

HOW = {"optimizer": optax.adam(0.3), "steps": 30, "check_every": 10}


@stage(reads=("x", "y"))
def select(events, cut):
    # every event has y < 1: nothing depends on that cut
    return events.select(events.x > cut.x).select(events.y < cut.idle + 1)


ANALYSIS = Analysis([select], [Channel("all", "x", Regular(1, 0, 10))], CountingModel(["signal"], 0.05))
CUTS = Parameters(
    x=Parameter(1.0, bounds=(0, 6), width=0.3, scale=0.5, unit="GeV"),
    idle=Parameter(50.0, bounds=(20, 100), width=0.01),
)


def drawn(seed: int, n: int = 3000) -> Dataset:
    rng = np.random.default_rng(seed)
    x = {"signal": rng.normal(3.0, 0.5, n).clip(0, 9.9), "background": rng.exponential(1.0, n).clip(0, 9.9)}
    samples = {name: ak.zip({"x": v, "y": rng.uniform(0, 1, n)}, depth_limit=1) for name, v in x.items()}
    return Dataset.from_awkward(samples, {"signal": np.full(n, 0.02), "background": np.full(n, 1.0)})


@pytest.fixture(scope="module")
def data():
    return Split(drawn(1), drawn(2))


@pytest.fixture(scope="module")
def result(data):
    return optimize(ANALYSIS, data, parameters=CUTS, **HOW)


@pytest.fixture(scope="module")
def found(data, result):
    compiled, original = [], search.program_of_steps
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "program_of_steps", lambda *given: compiled.append(given) or original(*given))
        told = repeat_search(ANALYSIS, data, result.optimum.parameters, parameters=CUTS, repeats=5, **HOW)
    assert len(compiled) == 1
    return told


def test_what_the_data_determine_and_what_chance(found, result):
    assert found.names == ("x", "idle")
    assert (found.verdict(0), found.verdict(1)) == ("by the data", "by chance")
    x = float(result.optimum.parameters["x"])
    assert found.optimum[0] == x
    assert np.all(abs(found.values[:, 0] - x) < 0.6)
    # nothing moves the other cut from where it began
    np.testing.assert_allclose(found.values[:, 1], found.starts[:, 1], rtol=1e-5)
    assert len(np.unique(found.values[:, 0])) == 5
    np.testing.assert_allclose(found.spread, np.std(found.values, axis=0, ddof=1))


def test_all_are_judged_by_the_same_events(found, result):
    assert np.std(found.held_out) < np.std(found.trained)
    assert abs(np.mean(found.held_out) - result.optimum.hard_held_out.objective) < 0.2
    told = str(found)
    for text in ("5 searches", "by the data", "by chance", "held-out"):
        assert text in told


def test_one_count_for_each_event_is_the_search_itself(data, result, monkeypatch):
    ones = np.ones(data.train.weight.shape)

    class Once:
        def poisson(self, mean, shape):
            return ones

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Once())
    again = repeat_search(ANALYSIS, data, result.optimum.parameters, parameters=CUTS, repeats=2, **HOW)
    assert again.values[0, 0] == pytest.approx(again.optimum[0], rel=1e-5)
    assert again.trained[0] == pytest.approx(result.optimum.hard_train.objective, rel=1e-5)


def test_what_is_written_comes_back(found):
    again = RepeatedSearch.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert str(again) == str(found)
    np.testing.assert_array_equal(again.values, found.values)


def test_what_cannot_be_repeated(data):
    with pytest.raises(ValueError, match="at least two repetitions, got 1"):
        repeat_search(ANALYSIS, data, CUTS, parameters=CUTS, repeats=1, **HOW)
    with pytest.raises(ValueError, match="in memory, not in shards"):
        repeat_search(ANALYSIS, Split([data.train], data.held_out), CUTS, parameters=CUTS, repeats=2, **HOW)
