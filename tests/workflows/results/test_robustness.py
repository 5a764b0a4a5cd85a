"""Profiles of cuts: values, flat regions, bounds, and round numbers."""

from __future__ import annotations

import json

import awkward as ak
import jax
import numpy as np
import pytest

from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Dataset,
    Folds,
    Hard,
    Parameter,
    Parameters,
    Regular,
    WorkingPoint,
    stage,
)
from hepgrad.analysis.data.judged import Judged
from hepgrad.workflows.results.bootstrap import replicated_objective
from hepgrad.workflows.results.cut_values import roundest, with_number
from hepgrad.workflows.results.robustness import Robustness, robustness


@stage(reads=("x", "y"))
def select(events, cut):
    return events.select(events.x > cut.x).select(events.y > cut.y[1]).select(events.y < cut.top)


ANALYSIS = Analysis([select], [Channel("all", "x", Regular(1, 0, 10))], CountingModel(["signal"], 0.05))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    n = 3000
    x = {"signal": rng.normal(3.0, 0.8, n).clip(0, 9.9), "background": rng.exponential(1.0, n).clip(0, 9.9)}
    samples = {name: ak.zip({"x": v, "y": rng.uniform(0, 1, n)}, depth_limit=1) for name, v in x.items()}
    return Dataset.from_awkward(samples, {"signal": np.full(n, 0.02), "background": np.full(n, 1.0)})


@pytest.fixture(scope="module")
def parameters():
    return Parameters(
        x=Parameter(2.0137, bounds=(0, 5), width=0.4),
        y=Parameter([0.5, 0.0], bounds=(0, 1), width=0.1),
        top=Parameter(1.0, bounds=(0.2, 1.0), frozen=True),
    )


@pytest.fixture(scope="module")
def found(data, parameters):
    return robustness(ANALYSIS, data, parameters, points=5)


@pytest.mark.thorough
def test_profiles_are_the_objective_with_hard_cuts(data, parameters, found):
    assert [profile.name for profile in found.profiles] == ["x", "y[0]", "y[1]"]
    profile = found.profiles[0]
    assert set(np.linspace(0, 5, 5)) | {2.0137} <= set(profile.values.tolist())
    assert np.all(np.diff(profile.values) > 0)
    for value, objective, loss in zip(profile.values, profile.objective, profile.loss, strict=True):
        expected = float(ANALYSIS.evaluate(data, parameters.replace(x=value), Hard()))
        assert objective == pytest.approx(expected, rel=1e-5)
        assert loss == pytest.approx(found.objective - expected, abs=1e-4)
    low, high = profile.flat
    assert 0 < low <= 2.0137 <= high < 5
    assert profile.shifted(1.0)[0] == pytest.approx(profile.loss[np.isclose(profile.values, 2.4137)][0])


@pytest.mark.thorough
def test_the_uncertainty_of_a_loss_is_its_spread_over_replicas(data, parameters, found):
    """To first order, which is within the spread of 400 replicas here."""
    profile = found.profiles[0]
    replicated = {}
    for place in (profile.optimum, *profile.values[[0, 2, -2]].tolist()):
        judged = Judged.of(data, parameters.replace(x=place))
        replicated[place] = replicated_objective(ANALYSIS, judged, replicas=400)
    best = replicated.pop(profile.optimum)
    for place, objectives in replicated.items():
        told = profile.loss_uncertainty[profile.values.tolist().index(place)]
        assert told == pytest.approx(np.std(best - objectives, ddof=1), rel=0.15)


@pytest.mark.thorough
def test_a_number_that_nothing_depends_on_is_flat_everywhere(found):
    profile = found.profiles[1]
    assert profile.flat == (0.0, 1.0)
    assert np.all(profile.loss == 0)


def test_a_cut_at_its_bound_is_told_with_what_lies_beyond(found):
    """Every event has y > 0, so that a looser cut changes nothing, and a tighter one loses events."""
    profile = found.profiles[2]
    assert profile.bound == "lower"
    value, loss, _ = profile.beyond
    assert value == pytest.approx(-0.1)
    assert loss == 0
    line = next(line for line in str(found).partition("Cuts at a bound")[2].splitlines() if "y[1]" in line)
    assert [cell.strip() for cell in line.strip("│ ").split("│")] == ["y[1]", "lower", "-0.1", "0.000 +- 0.000"]
    assert found.profiles[0].bound == ""
    assert found.profiles[0].beyond is None


def test_a_bound_that_costs_is_told(data):
    tight = Parameters(
        x=Parameter(4.0, bounds=(4.0, 6.0), width=1.0),
        y=Parameter([0.5, 0.0], bounds=(0, 1), frozen=True),
        top=Parameter(1.0, bounds=(0.2, 1.0), frozen=True),
    )
    found = robustness(ANALYSIS, data, tight, points=3)
    value, loss, uncertainty = found.profiles[0].beyond
    assert (value, found.profiles[0].bound) == (3.0, "lower")
    assert loss < -uncertainty
    assert f"{loss:.3f} +- {uncertainty:.3f}" in str(found).partition("Cuts at a bound")[2]


def test_rounded_cuts_are_evaluated_together(data, parameters, found):
    for profile in found.profiles:
        low, high = profile.flat
        assert low <= profile.rounded <= high
    assert float(found.rounded["y"][0]) == 0.0 or found.profiles[1].rounded in (0.0, 1.0, 0.5)
    expected = float(ANALYSIS.evaluate(data, found.rounded, Hard()))
    assert found.rounded_objective == pytest.approx(expected, rel=1e-5)
    assert f"{expected:.3f}" in str(found)


@pytest.mark.parametrize(
    ("low", "high", "near", "expected"),
    [
        (52.1, 57.9, 54.73, 55.0),
        (54.7, 54.8, 54.73, 54.7),
        (0.0493, 0.0507, 0.05, 0.05),
        (-3.0, -1.2, -2.4, -2.0),
        (120.0, 260.0, 130.0, 200.0),
        (17.3, 17.3, 17.3, 17.3),
        (-1.0, 2.0, 1.9, 0.0),
        (1e-5, 1.4e-5, 1.3e-5, 1e-5),
    ],
)
def test_round_numbers(low, high, near, expected):
    assert roundest(low, high, near) == expected


def test_what_cannot_be_moved(data, parameters):
    with pytest.raises(ValueError, match="none of the parameters"):
        robustness(ANALYSIS, data, Parameters(x=Parameter(2.0, bounds=(0, 5), frozen=True)))
    with pytest.raises(ValueError, match="at least 2 points, got 1"):
        robustness(ANALYSIS, data, parameters, points=1)
    moved = with_number(parameters, "y[1]", 0.25)
    np.testing.assert_allclose(moved["y"], [0.5, 0.25])
    assert float(moved["x"]) == float(parameters["x"])


def test_a_quarter_of_the_signal_more_and_less(data, parameters, found):
    """The cut is where the quantiles of the signal say, and the loss there is that of the cut."""
    profile = found.profiles[0]
    x = np.sort(np.asarray(data.columns.x)[np.asarray(data.process) == 0])
    passing = np.count_nonzero(x > np.float32(2.0137))
    for change in (-0.25, 0.25):
        value, loss, uncertainty = profile.with_efficiency(change)
        wanted = (1 + change) * passing
        if wanted > len(x):
            assert np.isnan(value)
            continue
        assert np.count_nonzero(x > value) == pytest.approx(wanted, abs=15)
        expected = float(ANALYSIS.evaluate(data, parameters.replace(x=value), Hard()))
        assert loss == pytest.approx(found.objective - expected, abs=1e-4)
        assert uncertainty > 0
    assert "+25 % signal" in str(found)


def test_what_is_written_comes_back(parameters, found):
    again = Robustness.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)), parameters)
    assert str(again) == str(found)
    np.testing.assert_array_equal(again.profiles[0].loss, found.profiles[0].loss)


def test_a_cut_of_a_cross_fit_is_moved_in_all_folds(data):
    """With the same cut in all folds it is what it is without folds; a fold keeps its own values of the others."""
    of = np.arange(data.weight.size).reshape(data.weight.shape) % 2
    made = Folds.of(data, of, 2)
    specs = {
        "y": Parameter([0.5, 0.0], bounds=(0, 1), frozen=True),
        "top": Parameter(1.0, bounds=(0.2, 1), frozen=True),
    }
    cuts = [Parameters(x=Parameter(x, bounds=(1, 4), width=0.4), **specs) for x in (2.0, 2.4)]
    found = robustness(ANALYSIS, made, *cuts, points=2)
    (profile,) = found.profiles
    assert profile.optimum == pytest.approx(2.2)
    assert profile.spread == pytest.approx(np.std([2.0, 2.4], ddof=1))
    for value, objective in zip(profile.values, profile.objective, strict=True):
        expected = float(ANALYSIS.evaluate(data, cuts[0].replace(x=value), Hard()))
        assert objective == pytest.approx(expected, rel=1e-5)
    histograms = [ANALYSIS.histograms(made.alone(n), at, Hard()) for n, at in enumerate(cuts)]
    both = jax.tree.map(lambda a, b: a + b, *histograms)
    assert found.objective == pytest.approx(float(ANALYSIS.figure_of_merit(both, data)), rel=1e-5)
    assert "spread" in str(found)


@pytest.mark.thorough
def test_all_options_of_a_choice_are_told(data, parameters):
    @stage(reads=("x", "y"))
    def tagged(events, cut):
        return events.select(events.x > cut.x)

    analysis = Analysis([tagged], ANALYSIS.channels, ANALYSIS.model)
    points = {"loose": 1.0, "medium": 2.0, "tight": 3.0}
    tagging = Parameters(x=WorkingPoint(points, "medium"))
    found = robustness(analysis, data, tagging)
    assert [(each.name, each.word) for each in found.options] == [("x", word) for word in points]
    for each in found.options:
        expected = float(analysis.evaluate(data, tagging.replace(x=each.word), Hard()))
        assert each.objective == pytest.approx(expected, rel=1e-5)
        assert each.loss == pytest.approx(found.objective - expected, abs=1e-4)
        assert each.word in str(found)
    again = Robustness.from_dict(json.loads(json.dumps(found.to_dict())), tagging)
    assert str(again) == str(found)
