"""The bootstrap against error propagation, and what it makes of a result."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepgrad.analysis import Analysis, Channel, Dataset, Parameter, Parameters, Regular, stage
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.statistics.objectives import merit
from hepgrad.workflows.results.bootstrap import Improvement, bootstrap

WEIGHTS = {"signal": 0.1, "background": 2.0}
EVENTS = {"signal": 300, "background": 900}
CUTS = Parameters(met=Parameter(50.0, bounds=(0, 200)))


@stage(reads=("met",))
def select(events, cut):
    return events.select(events.met > cut.met)


# without a flow that is read, an event outside counts for nothing
ANALYSIS = Analysis(
    [select], [Channel("sr", "met", Regular(1, 0, 10_000))], TemplateModel(["signal"]), objective="s_over_sqrt_b"
)


def dataset(block_size=None):
    rng = np.random.default_rng(4)
    samples = {name: ak.zip({"met": rng.exponential(100.0, n).astype(np.float32)}) for name, n in EVENTS.items()}
    weights = {name: np.full(n, WEIGHTS[name]) for name, n in EVENTS.items()}
    return Dataset.from_awkward(samples, weights, block_size=block_size), samples


@pytest.mark.thorough
def test_spread_is_that_of_error_propagation(x64):
    """For s / sqrt(b) of counts: relative variance 1 / n_s + 1 / (4 n_b)."""
    data, samples = dataset(block_size=500)
    passed = {name: int(np.sum(sample.met > 50)) for name, sample in samples.items()}
    s, b = (WEIGHTS[name] * passed[name] for name in ("signal", "background"))
    values = bootstrap(ANALYSIS, data, CUTS, replicas=2000, seed=1)
    relative = np.sqrt(1 / passed["signal"] + 1 / (4 * passed["background"]))
    assert values.mean() == pytest.approx(s / np.sqrt(b), rel=4 * relative / np.sqrt(2000) + 0.002)
    # the spread of a spread from 2000 replicas is 1.6 %
    assert values.std() == pytest.approx(s / np.sqrt(b) * relative, rel=0.06)


@pytest.mark.thorough
def test_replicas_depend_on_the_seed_only_and_shards_are_added(x64):
    data, _ = dataset()
    one, same, other = (bootstrap(ANALYSIS, data, CUTS, replicas=20, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    twice = bootstrap(ANALYSIS, [data, data], CUTS, replicas=400, seed=1)
    # twice the events: sqrt(2) times the figure, and half of its relative variance
    once = bootstrap(ANALYSIS, data, CUTS, replicas=400, seed=1)
    assert twice.mean() / once.mean() == pytest.approx(np.sqrt(2), rel=0.02)
    assert twice.std() / once.std() == pytest.approx(1, rel=0.15)


@pytest.mark.parametrize(("optimum", "significant"), [(0.05, True), (0.095, False)])
def test_tells_whether_the_gain_exceeds_its_uncertainty(optimum, significant):
    figures = {"start_uncertainty": 0.02, "optimum_uncertainty": 0.01, "gain_uncertainty": 0.01}
    sigma = merit("sigma_mu")
    improvement = Improvement(merit=sigma, start=0.1, optimum=optimum, gain=0.1 - optimum, replicas=100, **figures)
    assert improvement.is_significant is significant
    assert ("not more than" in str(improvement)) is not significant
