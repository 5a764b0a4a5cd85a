"""Cuts at their loosest: what each is worth, and a selection with fewer of them."""

from __future__ import annotations

import json

import awkward as ak
import numpy as np
import pytest

from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Dataset,
    Hard,
    Parameter,
    Parameters,
    Regular,
    WholeNumber,
    stage,
)
from hepgrad.workflows.stability.simpler import Simpler, simpler

pytestmark = pytest.mark.usefixtures("quick_compilation")


@stage(reads=("Jet_pt", "x", "noise"))
def select(events, cut):
    events = events.select(events.x > cut.x).select(events.noise < cut.noise)
    return events.select(events.Jet.at_least(cut.jets))


ANALYSIS = Analysis([select], [Channel("all", "x", Regular(1, 0, 10))], CountingModel(["signal"], 0.05))
# only x tells the signal apart; the noise cut takes nothing, and one jet is in every event
CUTS = Parameters(
    x=Parameter(2.0, bounds=(0, 5), width=0.4, unit="GeV"),
    noise=Parameter(0.999, bounds=(0.2, 1.0)),
    jets=WholeNumber(1, bounds=(1, 3)),
)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    n = 2000
    x = {"signal": rng.normal(3.0, 0.8, n).clip(0, 9.9), "background": rng.exponential(1.0, n).clip(0, 9.9)}
    jets = ak.unflatten(np.ones(2 * n), np.full(n, 2))
    samples = {
        name: ak.zip({"x": v, "noise": rng.uniform(0, 0.99, n), "Jet": ak.zip({"pt": jets})}, depth_limit=1)
        for name, v in x.items()
    }
    return Dataset.from_awkward(samples, {"signal": np.full(n, 0.02), "background": np.full(n, 1.0)})


@pytest.fixture(scope="module")
def found(data):
    return simpler(ANALYSIS, data, CUTS)


@pytest.mark.thorough
def test_what_a_cut_is_worth(data, found):
    first = found.left_out[0]
    assert (first.name, first.loosest, first.matters) == ("x", "0 GeV", True)
    expected = float(ANALYSIS.evaluate(data, CUTS.replace(x=0.0), Hard()))
    assert first.loss == pytest.approx(found.objective - expected, rel=1e-4)
    assert [(each.loss, each.matters) for each in found.left_out[1:]] == [(0, False), (0, False)]
    assert {each.name: each.loosest for each in found.left_out[1:]} == {"noise": "1", "jets": "1"}


def test_the_minimal_selection_keeps_what_matters(found):
    assert found.kept == ("x",)
    assert set(found.dropped) == {"noise", "jets"}
    assert found.minimal_loss == 0
    told = str(found)
    assert "matters" in told
    assert found.merit.text(found.objective, ".3f") in told


def test_what_is_written_comes_back(found):
    again = Simpler.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert again == found


def test_without_cuts_there_is_nothing_to_leave_out(data):
    with pytest.raises(ValueError, match="none can be loose"):
        simpler(ANALYSIS, data, Parameters(x=Parameter(2.0, bounds=(0, 5), frozen=True)))
