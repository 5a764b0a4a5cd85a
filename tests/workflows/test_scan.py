"""Scans: every method finds the best cut of a toy, is seeded, and says what it cannot do."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Dataset,
    Edges,
    Hard,
    Parameter,
    Parameters,
    Regular,
    Split,
    stage,
)
from hepgrad.workflows.errors import InputError
from hepgrad.workflows.proposals import Box
from hepgrad.workflows.scan import scan

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


@pytest.mark.parametrize(("method", "trials"), [("random", 150), ("grid", 101), ("optuna", 60)])
def test_finds_the_best_cut(data, method, trials):
    found = scan(ANALYSIS, data, START, method=method, trials=trials, seed=3)
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
    one, same, other = (scan(ANALYSIS, data, START, trials=10, seed=seed).objectives for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one[1:] != other[1:]).any()


def test_the_whole_box_is_scanned():
    box = Box.around(START)
    corners = [box.at(np.full(2, corner)).numbers() for corner in (0.0, 1.0)]
    assert [(c["x"], c["y"]) for c in corners] == [(0, 0), (9, 8)]


def test_mistakes_are_named(data):
    with pytest.raises(InputError, match="no method 'genetic' of scanning; there are random, grid, optuna"):
        scan(ANALYSIS, data, START, method="genetic")
    with pytest.raises(InputError, match="grid over 2 parameters needs at least 5 trials, got 4"):
        scan(ANALYSIS, data, START, method="grid", trials=4)
    with pytest.raises(InputError, match="nothing to scan"):
        Box.around(Parameters(bins=START.specs["bins"]))
