"""Scans: every method finds the best cut of a toy, is seeded, and says what it cannot do."""

from __future__ import annotations

import dataclasses

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Dataset,
    Edges,
    FitError,
    Hard,
    Parameter,
    Parameters,
    Regular,
    Split,
    stage,
)
from hepgrad.workflows.errors import InputError
from hepgrad.workflows.scanning.proposals import Box
from hepgrad.workflows.scanning.search import search, search_cuts
from hepgrad.workflows.studies.inferno import INFERNO
from hepgrad.workflows.studies.study import initial
from hepgrad.workflows.studies.study.random_networks import RandomNetworks, he_spread

START = Parameters(x=Parameter(2.0, bounds=(0, 9)), y=Parameter(0.0, bounds=(0, 8)), bins=Edges([0, 1, 2]))


@stage(reads=("x", "y"))
def select(events, cut):
    return events.select((events.x > cut.x) & (events.y > cut.y))


ANALYSIS = Analysis([select], [Channel("all", "x", Regular(1, 0, 10))], CountingModel(["signal"], 0.0))


def sample(seed: int) -> Dataset:
    """Signal where x is above 5 and y above 3."""
    rng = np.random.default_rng(seed)
    low = {"signal": (5, 3), "background": (0, 0)}
    events = {n: ak.zip({v: rng.uniform(a, 10, 3000) for v, a in zip("xy", low[n], strict=True)}) for n in low}
    return Dataset.from_awkward(events, {"signal": np.full(3000, 0.01), "background": np.full(3000, 0.1)})


@pytest.fixture(scope="module")
def data():
    return Split(sample(1), sample(2))


@pytest.mark.thorough
@pytest.mark.parametrize(("method", "trials"), [("random", 150), ("grid", 101), ("optuna", 60)])
def test_finds_the_best_cut(data, method, trials):
    found = search_cuts(ANALYSIS, data, START, method=method, trials=trials, seed=3)
    numbers = found.best.numbers()
    assert (numbers["x"], numbers["y"]) == (pytest.approx(5, abs=1.2), pytest.approx(3, abs=1.2))
    assert len(found.points) == len(found.objectives) == trials
    # the numbers are those of the analysis, and the best is the best
    assert found.train == (pytest.approx(found.objectives[0]), pytest.approx(found.objectives.max()))
    assert found.objectives[0] == pytest.approx(float(ANALYSIS.evaluate(data.train, START, Hard())))
    assert found.held_out[1] == pytest.approx(float(ANALYSIS.evaluate(data.held_out, found.best, Hard())))
    assert found.held_out[1] > 1.3 * found.held_out[0]
    # what has no bounds stays
    np.testing.assert_array_equal(found.best["bins"], START["bins"])
    assert f"{method} scan of {trials} points" in str(found)


def test_seeds_repeat_a_scan(data):
    one, same, other = (search_cuts(ANALYSIS, data, START, trials=10, seed=seed).objectives for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one[1:] != other[1:]).any()


def test_edges_are_scanned_when_asked(data):
    box = Box.around(START, ["bins"])
    assert box.dimensions == 4
    middle, tail = box.at(np.full(4, 0.5)), box.at(np.array([0.5, 0.975, 0.5, 0.5]))
    np.testing.assert_allclose(middle["bins"], START["bins"], atol=1e-6)
    assert middle.numbers()["x"] == tail.numbers()["x"] == 4.5
    # dimensions go by name, bins first; the scale of edges is 0.3, and 0.975 lies at 1.96 standard deviations
    first, second = np.diff(START.specs["bins"].at(tail["bins"]))
    np.testing.assert_allclose(second / first, np.exp(0.3 * 1.96), rtol=1e-3)
    with pytest.raises(InputError, match=r"cannot scan \['edges'\]: the free parameters are \['x', 'y', 'bins'\]"):
        search_cuts(ANALYSIS, data, START, also=["edges"])


def test_random_networks_have_the_spread_of_their_start():
    network = initial(jax.random.key(0), (3, 200, 2))
    space = RandomNetworks(he_spread(network))
    assert space.dimensions == 3 * 200 + 200 + 200 * 2 + 2
    drawn = space.at(np.random.default_rng(0).random(space.dimensions))
    assert jax.tree.map(jnp.shape, drawn) == jax.tree.map(jnp.shape, network)
    for (weight, bias), (ours, _) in zip(drawn, network, strict=True):
        np.testing.assert_allclose(jnp.std(weight), jnp.std(ours), rtol=0.1)
        assert jnp.abs(jnp.mean(bias)) < 3 * (2 / len(weight) / len(bias)) ** 0.5


@pytest.mark.thorough
def test_a_study_is_searched_with_the_objective_that_it_reports(x64):
    """And a trial without a value never wins."""
    contest = dataclasses.replace(INFERNO, train_events=2000, test_events=3000).contest()
    found = search(contest, trials=6, seed=1)
    assert found.train[1] == found.objectives.max() == contest.train(found.best)
    assert found.held_out == (contest.held_out(contest.start), contest.held_out(found.best))
    assert "sigma(s)" in found.merit.short
    numbers = iter([np.nan, -2.0, np.nan, -1.0])
    found = search(dataclasses.replace(contest, train=lambda network: next(numbers)), trials=4)
    np.testing.assert_array_equal(found.objectives, [np.nan, -2, np.nan, -1])
    assert found.train[1] == -1
    assert "2 of 4 fits failed" in str(found)
    assert "no fit" in str(found)
    with pytest.raises(FitError, match=r"none of 3 points has a sigma\(s\)"):
        search(dataclasses.replace(contest, train=lambda network: np.nan), trials=3)


def test_the_whole_box_is_scanned():
    box = Box.around(START)
    corners = [box.at(np.full(2, corner)).numbers() for corner in (0.0, 1.0)]
    assert [(c["x"], c["y"]) for c in corners] == [(0, 0), (9, 8)]


def test_mistakes_are_named(data):
    with pytest.raises(InputError, match="no method 'genetic' of scanning; there are random, grid, optuna"):
        search_cuts(ANALYSIS, data, START, method="genetic")
    with pytest.raises(InputError, match="grid over 2 parameters needs at least 5 trials, got 4"):
        search_cuts(ANALYSIS, data, START, method="grid", trials=4)
    with pytest.raises(InputError, match="nothing to scan"):
        Box.around(Parameters(bins=START.specs["bins"]))
