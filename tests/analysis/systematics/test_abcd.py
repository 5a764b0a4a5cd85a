"""How well a background closes in four regions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis import ABCD, Counts, Events, Regular
from hepgrad.analysis.selection.cut import Pass
from hepgrad.analysis.systematics.abcd import closure_of
from hepgrad.ragged import RecordArray

RANDOM = np.random.default_rng(4)


def test_the_factor_and_its_uncertainty(x64):
    # events of weight 0.5 in four Poisson experiments, many times
    truth = np.array([30.0, 90.0, 200.0, 600.0])
    events = RANDOM.poisson(truth, (20_000, 4))
    factors = events[:, 0] * events[:, 3] / (events[:, 1] * events[:, 2])
    found = closure_of(jnp.asarray(0.5 * truth), jnp.asarray(0.25 * truth))
    assert float(found.factor) == pytest.approx(1.0)
    assert float(found.uncertainty) == pytest.approx(np.sqrt(np.sum(1 / truth)), rel=1e-12)
    # to first order, which 30 events are enough for to a few percent
    assert float(found.uncertainty) == pytest.approx(factors.std(), rel=0.05)
    assert float(found.size) == pytest.approx(float(found.uncertainty))


def test_the_size_is_that_of_the_largest_and_differentiable(x64):
    axis = Regular(2, 0, 2)
    names = ("A", "B", "C", "D", "VA", "VB", "VC", "VD")
    sums = dict(zip(names, ([6, 4], [20, 10], [30, 30], [100, 80], [9, 9], [10, 10], [20, 25], [20, 20]), strict=True))

    def counts(values):
        padded = jnp.concatenate([jnp.zeros(1), jnp.asarray(values, float), jnp.zeros(1)])[None]
        return Counts(padded, 0.01 * padded)

    histograms = {name: counts(values) for name, values in sums.items()}
    source = ABCD("multijet", closure=[names[:4], names[4:]], uncertainty=0.1)
    totals = {name: sum(values) for name, values in sums.items()}
    sizes = []
    for a, b, c, d in (names[:4], names[4:]):
        factor = totals[a] * totals[d] / (totals[b] * totals[c])
        relative = 0.01 * sum(1 / totals[name] for name in (a, b, c, d))
        sizes.append(np.hypot(factor - 1, factor * np.sqrt(relative)))
    axes = dict.fromkeys(names, axis)

    def error(histograms):
        return source.error(histograms, axes, ["multijet"])

    assert float(error(histograms)) == pytest.approx(np.hypot(max(sizes), 0.1), rel=1e-12)
    slopes = jax.grad(error)(histograms)
    for name in ("A", "VA", "VC"):
        step = jnp.zeros((1, 4)).at[0, 1].set(1e-5)

        def moved(sign, name=name, step=step):
            changed = Counts(histograms[name].sumw + sign * step, histograms[name].sumw2)
            return float(error({**histograms, name: changed}))

        expected = (moved(1) - moved(-1)) / 2e-5
        assert float(slopes[name].sumw[0, 1]) == pytest.approx(expected, abs=1e-8)
    assert np.abs(slopes["VA"].sumw).sum() > 0


def test_regions_without_events_tell_nothing_and_harm_nothing():
    for values in (np.zeros(4), np.array([-2.0, 3, 4, 5]), np.array([1.0, 0, 0, 0])):
        sumw, sumw2 = jnp.asarray(values), jnp.asarray(np.abs(values))
        found = closure_of(sumw, sumw2)
        slope = jax.grad(lambda s, sumw2=sumw2: closure_of(s, sumw2).size)(sumw)
        assert np.isfinite(found.factor) and np.isfinite(found.uncertainty) and np.all(np.isfinite(slope))
        assert found.uncertainty > found.factor * 0.9


def test_quadrants_share_out_every_event():
    p, q, within = RANDOM.uniform(size=(3, 50))
    events = Events.of(RecordArray({"x": jnp.arange(50.0)}), jnp.ones(50))
    first, second, inside = (Pass(jnp.asarray(each)) for each in (p, q, within))
    four = events.quadrants(first, second, names=("sr", "b", "c", "d"), within=inside).regions
    np.testing.assert_allclose(sum(np.asarray(each.content) for each in four.values()), within, rtol=1e-5)
    np.testing.assert_allclose(four["b"].content, p * (1 - q) * within, rtol=1e-5)
    with pytest.raises(ValueError, match="four regions need names of their own"):
        events.quadrants(first, second).quadrants(first, second)


def test_what_is_no_abcd():
    with pytest.raises(ValueError, match=r"multijet: the regions A, B, C and D are four channels, got \['A', 'B'\]"):
        ABCD("multijet", ("A", "B"))
    with pytest.raises(ValueError, match="four channels, got"):
        ABCD("multijet", closure=[("A", "A", "C", "D")])
    with pytest.raises(ValueError, match="the factor must be positive, got 0"):
        ABCD("multijet", factor=0)
    with pytest.raises(ValueError, match=r"not negative, got -0\.1"):
        ABCD("multijet", uncertainty=-0.1)
