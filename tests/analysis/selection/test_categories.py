"""Categories exclude each other, hold every event, and follow their order of precedence."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepgrad import ragged as rg
from hepgrad.analysis import Events, Hard, Parameter, Parameters, Pass, Soft

pytestmark = pytest.mark.usefixtures("quick_compilation")

X = jnp.array([10.0, 45.0, 55.0, 90.0])
CUTS = Parameters(vbf=Parameter(50.0, bounds=(0, 100), width=5.0), boosted=Parameter(30.0, bounds=(0, 100), width=5.0))


def events() -> Events:
    return Events.of(rg.RecordArray({"x": X}), jnp.ones(len(X)))


@jax.jit
def regions(cuts, reading):
    cut = cuts.cuts(reading)
    e = events().select(events().x > 40.0, "x")
    return e.categorise(vbf=e.x > cut.vbf, boosted=e.x > cut.boosted, rest="other")


@settings(max_examples=25, deadline=None)
@given(*[st.floats(0, 100)] * 2)
def test_probabilities_add_up_and_become_hard(vbf, boosted):
    cuts = CUTS.replace(vbf=vbf, boosted=boosted)
    soft, narrow, hard = (regions(cuts, reading) for reading in (Soft(), Soft(1e-4), Hard()))
    for e in (soft, narrow, hard):
        np.testing.assert_allclose(sum(e.regions.values()), 1, rtol=1e-6)
        np.testing.assert_allclose(sum(e.in_region(r).probability for r in e.regions), e.probability, rtol=1e-6)
    first = np.where(np.asarray(X) > np.float32(vbf), 0, np.where(np.asarray(X) > np.float32(boosted), 1, 2))
    for i, name in enumerate(("vbf", "boosted", "other")):
        np.testing.assert_array_equal(hard.regions[name], first == i)
        clear = (abs(X - vbf) > 0.1) & (abs(X - boosted) > 0.1)
        np.testing.assert_allclose(np.where(clear, narrow.regions[name], 0), np.where(clear, first == i, 0), atol=1e-6)


def test_probabilities_are_the_mean_of_sampled_passes():
    rng, p = np.random.default_rng(5), np.array([[0.2, 0.7, 1.0, 0.0], [0.5, 0.9, 0.3, 0.6]])
    draws = rng.random((100_000, *p.shape)) < p
    e = events().categorise(a=Pass(jnp.asarray(p[0])), b=Pass(jnp.asarray(p[1])))
    truth = {"a": draws[:, 0], "b": draws[:, 1] & ~draws[:, 0], "rest": ~draws.any(axis=1)}
    for name, of_draws in truth.items():
        error = np.sqrt(of_draws.mean(axis=0) * (1 - of_draws.mean(axis=0)) / len(draws))
        assert np.all(abs(e.regions[name] - of_draws.mean(axis=0)) <= 5 * error + 1e-6)


def test_regions_live_through_scan_and_further_selections():
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), events())

    def step(total, e):
        e = e.categorise(high=e.x > 50.0, rest="low").categorise(odd=e.x > 80.0)
        e = e.select(e.x > 20.0, "x")
        return jnp.asarray(total + e.in_region("low").probability), list(e.regions) == ["high", "low", "odd", "rest"]

    total, ordered = jax.lax.scan(step, jnp.zeros(len(X)), stacked)
    assert total.tolist() == [0, 2, 0, 0]
    assert ordered.all()
    leaves, structure = jax.tree.flatten(regions(CUTS, Hard()))
    again = jax.tree.unflatten(structure, leaves)
    assert (list(again.regions), list(again.cutflow)) == (["vbf", "boosted", "other"], ["x"])


def test_derivative_moves_events_between_regions():
    gradient = jax.jacrev(lambda c: {k: v.sum() for k, v in regions(c, Soft()).regions.items()})(CUTS)
    assert float(gradient["vbf"]["vbf"]) < 0 < float(gradient["boosted"]["vbf"])
    np.testing.assert_allclose(sum(gradient[name]["vbf"] for name in gradient), 0, atol=1e-6)


def test_errors():
    e = events()
    with pytest.raises(KeyError, match=r"no region 'vbf'; the regions are \['high', 'rest'\]"):
        e.categorise(high=e.x > 50.0).in_region("vbf")
    with pytest.raises(ValueError, match="there is a region 'rest' already"):
        e.categorise(high=e.x > 50.0).categorise(low=e.x < 20.0)
    with pytest.raises(ValueError, match="needs categories with names other than 'high'"):
        e.categorise(high=e.x > 50.0, rest="high")
    with pytest.raises(ValueError, match="needs categories"):
        e.categorise()
    with pytest.raises(TypeError, match="`rest` names the events that pass no category"):
        e.categorise(high=e.x > 50.0, rest=e.x < 20.0)
    with pytest.raises(TypeError, match="one pass per event"):
        e.categorise(jets=Pass(rg.from_lists([[0.5], [], [], []])))
