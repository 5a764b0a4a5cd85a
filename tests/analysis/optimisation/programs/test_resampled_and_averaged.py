"""Steps on replicas of the events, and means of positions: what they are, and the same after an interruption."""

from __future__ import annotations

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
    Soft,
    Split,
    averaged,
    optimize,
    stage,
)
from hepgrad.analysis.optimisation.programs.resampled import counted, resample

pytestmark = pytest.mark.usefixtures("quick_compilation")

CUTS = Parameters(x=Parameter(0.5, bounds=(0, 4), scale=0.5, width=0.3))


@stage(reads=("x",))
def select(events, cut):
    return events.select(events.x > cut.x)


ANALYSIS = Analysis([select], [Channel("all", "x", Regular(2, 0, 8))], CountingModel(["signal"], 0.1))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    x = {"signal": rng.normal(2.0, 0.6, 400).clip(0, 7.9), "background": rng.exponential(1.0, 400).clip(0, 7.9)}
    samples = {name: ak.zip({"x": values}, depth_limit=1) for name, values in x.items()}
    made = Dataset.from_awkward(samples, {"signal": np.full(400, 0.15), "background": np.full(400, 5.0)})
    return Split(made, made)


def test_an_event_that_counts_twice_is_two_events(data):
    """In the sums of weights and of their squares, soft."""
    times = np.random.default_rng(3).poisson(1.0, data.train.weight.shape)
    analysis = ANALYSIS.insert(resample)
    counts = analysis.histograms(counted(data.train, times), CUTS, Soft())["all"]
    x, weight, process = (np.asarray(a).ravel() for a in (data.train.columns.x, data.train.weight, data.train.process))
    index = np.repeat(np.arange(x.size), times.ravel())
    index = index[process[index] < 2]
    samples = {
        name: ak.zip({"x": x[index][process[index] == row]}, depth_limit=1)
        for row, name in enumerate(data.train.processes)
    }
    weights = {name: weight[index][process[index] == row] for row, name in enumerate(data.train.processes)}
    expected = ANALYSIS.histograms(Dataset.from_awkward(samples, weights), CUTS, Soft())["all"]
    np.testing.assert_allclose(counts.sumw, expected.sumw, rtol=1e-4)
    np.testing.assert_allclose(counts.sumw2, expected.sumw2, rtol=1e-4)


HOW = {"optimizer": averaged(optax.adam(0.2), 0.7), "steps": 8, "check_every": 2, "resample": 5}


@pytest.fixture(scope="module")
def whole(data):
    saved = []
    return optimize(ANALYSIS, data, parameters=CUTS, save=saved.append, **HOW), saved


@pytest.mark.thorough
def test_the_noise_is_there_and_depends_on_the_seed(data, whole):
    result, _ = whole
    quiet = optimize(ANALYSIS, data, parameters=CUTS, **{**HOW, "resample": None})
    other = optimize(ANALYSIS, data, parameters=CUTS, **{**HOW, "resample": 6})
    noisy = [np.array([record.slopes["x"] for record in each.history]) for each in (result, quiet, other)]
    assert not np.allclose(noisy[0], noisy[1])
    assert not np.allclose(noisy[0], noisy[2])
    # checks are made on the events as they are
    assert result.start.hard_train.objective == quiet.start.hard_train.objective


def test_an_interrupted_search_meets_the_same_replicas(data, whole):
    result, saved = whole
    again = optimize(ANALYSIS, data, parameters=CUTS, resume=saved[1], **HOW)
    assert [r.objective for r in again.history] == [r.objective for r in result.history]
    assert again.optimum.parameters.to_dict() == result.optimum.parameters.to_dict()


def test_what_is_checked_is_the_mean_of_the_positions(whole):
    result, saved = whole
    x = np.array([record.values["x"] for record in result.history[1:]])
    state = saved[2].position
    steps = int(state.state.steps)
    positions = np.append(x[: steps - 1], float(state.coordinates["x"]) * 0.5)
    weights = 0.7 ** np.arange(steps)[::-1]
    expected = (weights * positions).sum() / weights.sum()
    assert float(state.state.mean["x"]) * 0.5 == pytest.approx(expected, rel=1e-5)
    if result.best.best_step == steps:
        assert float(result.optimum.parameters["x"]) == pytest.approx(expected, rel=1e-5)
    ends = [float(np.asarray(s.attempt.best["x"])) for s in saved if s.attempt.best_step]
    assert ends
    assert not set(np.round(ends, 5)) & set(np.round(x, 5))


def test_what_cannot_be(data):
    with pytest.raises(ValueError, match=r"the decay must be in \[0, 1\), got 1"):
        averaged(optax.sgd(0.1), 1.0)
    with pytest.raises(ValueError, match="made one by one, and need all training events in one data set"):
        optimize(ANALYSIS, data, parameters=CUTS, steps=2, resample=1, steps_per_call=2)
