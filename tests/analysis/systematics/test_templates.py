"""Variations in both readings: equal to running the analysis on shifted events, with the right derivatives."""

from __future__ import annotations

import dataclasses

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Hard, Soft
from hepgrad.analysis.systematics import normal_by_event

from .events import ANALYSIS, AXIS, CUTS, PROCESSES, dataset, samples

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture(scope="module")
def events():
    return samples()


@pytest.fixture(scope="module")
def hard(events):
    return ANALYSIS.histograms(dataset(events), CUTS, Hard())


def by_awkward(events, factor, weight=lambda ht: np.ones_like(ht)):
    """Fill with hard cuts after jets are multiplied by a factor and the missing momentum takes up the difference."""
    histograms = []
    for process, sample in events.items():
        pt = sample.Jet.pt * factor(sample)
        shift = pt - sample.Jet.pt
        met = np.hypot(
            sample.MET.pt * np.cos(sample.MET.phi) - ak.sum(shift * np.cos(sample.Jet.phi), axis=1),
            sample.MET.pt * np.sin(sample.MET.phi) - ak.sum(shift * np.sin(sample.Jet.phi), axis=1),
        )
        good = pt > 35
        ht = ak.to_numpy(ak.sum(pt[good], axis=1))
        passed = ak.to_numpy((ak.sum(good, axis=1) >= 1) & (met > 40))
        weights = (0.1 if process == "signal" else 1.0) * weight(ht)
        edges = [-np.inf, *AXIS.edges, np.inf]
        histograms.append(np.histogram(ht[passed], edges, weights=weights[passed])[0])
    return np.array(histograms)


def smeared(resolution):
    """Return the factor on each jet when data have a resolution worse by a factor."""

    def factor(sample):
        rows = rg.from_awkward(sample.Jet.pt)
        random = rg.to_awkward(normal_by_event(jnp.asarray(sample.event), rows, seed=5))
        return 1 + random * 0.1 * np.sqrt(resolution**2 - 1)

    return factor


@pytest.mark.thorough
def test_hard_templates_are_those_of_shifted_events(events, hard):
    def jes(alpha):
        return lambda sample: (1 + alpha * (0.02 + 1 / sample.Jet.pt)) * smeared(1.1)(sample)

    def heavy(ht):
        return 1 + 0.2 * np.tanh(ht / 100)

    expected = {
        "nominal": (hard.nominal, by_awkward(events, smeared(1.1))),
        "jes up": (hard.up["jes"], by_awkward(events, jes(1))),
        "jes down": (hard.down["jes"], by_awkward(events, jes(-1))),
        "jer": (hard.up["jer"], by_awkward(events, smeared(1.2))),
        "weight up": (hard.up["pdf"], by_awkward(events, smeared(1.1), heavy)),
        "weight down": (hard.down["pdf"], by_awkward(events, smeared(1.1), lambda ht: 1 / heavy(ht))),
    }
    for name, (templates, reference) in expected.items():
        np.testing.assert_allclose(templates["sr"].sumw, reference, rtol=1e-5, atol=1e-5, err_msg=name)
    assert set(hard.up) == {"btag", "pdf", "jes", "jer"}
    assert set(hard.down) == {"pdf", "jes"}


def test_the_order_of_events_and_the_blocks_do_not_matter(events, hard):
    rng = np.random.default_rng(2)
    shuffled = {name: sample[rng.permutation(len(sample))] for name, sample in events.items()}
    again = ANALYSIS.histograms(dataset(shuffled, block_size=100), CUTS, Hard())
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), hard, again)


def test_momentum_is_conserved_by_scale_and_resolution(events):
    from hepgrad.analysis import Events

    from .events import JER, JES

    before = jax.tree.map(lambda leaf: leaf[0], dataset(events).events)

    def total(events: Events):
        return np.array(
            [
                events.MET.pt * f(events.MET.phi) + rg.sum(events.Jet.pt * f(events.Jet.phi), axis=1)
                for f in (np.cos, np.sin)
            ]
        )

    for shift in (JES, JER):
        after = shift(before, jnp.float32(1))
        np.testing.assert_allclose(total(after), total(before), atol=2e-3)
        ratio = after.Jet.mass / before.Jet.mass - after.Jet.pt / before.Jet.pt
        np.testing.assert_allclose(ratio.content, 0, atol=1e-5)
        assert not np.allclose(after.MET.pt, before.MET.pt)
    unchanged = JES(before, jnp.float32(0))
    np.testing.assert_array_equal(unchanged.Jet.pt.content, before.Jet.pt.content)


def test_soft_templates_tend_to_hard_ones(events, hard):
    soft = ANALYSIS.histograms(dataset(events), CUTS, Soft(1e-4))
    for a, b in zip(jax.tree.leaves(soft), jax.tree.leaves(hard), strict=True):
        # an event or two lie on an edge
        np.testing.assert_allclose(a.sum(axis=-1), b.sum(axis=-1), atol=2.1)


@pytest.mark.thorough
def test_derivatives_of_varied_templates():
    with jax.enable_x64():
        data = dataset(samples(60, np.float64))
        rng = np.random.default_rng(4)
        shapes = jax.eval_shape(lambda: ANALYSIS.histograms(data, CUTS, Soft()))
        weights = jax.tree.map(lambda s: rng.normal(size=s.shape), shapes)

        @jax.jit
        def projected(values):
            templates = ANALYSIS.histograms(data, CUTS.replace(**values), Soft())
            return sum(jax.tree.leaves(jax.tree.map(lambda a, b: jnp.sum(a * b), templates, weights)))

        start = {name: jnp.float64(value) for name, value in CUTS.items()}
        gradient = jax.grad(projected)(start)
        for name, step in (("jet_pt", 1e-3), ("met", 1e-3)):
            up, down = (projected({**start, name: start[name] + s}) for s in (step, -step))
            np.testing.assert_allclose(gradient[name], (up - down) / (2 * step), rtol=1e-5)
            tangent = {k: jnp.float64(k == name) for k in start}
            np.testing.assert_allclose(jax.jvp(projected, (start,), (tangent,))[1], gradient[name], rtol=1e-8)


@pytest.mark.thorough
@pytest.mark.parametrize("objective", ["discovery", pytest.param("sigma_mu", marks=pytest.mark.slow)])
def test_derivatives_of_objectives_with_all_systematics(objective):
    analysis = dataclasses.replace(ANALYSIS, objective=objective)
    with jax.enable_x64():
        data = dataset(samples(60, np.float64))
        start = {name: jnp.float64(value) for name, value in CUTS.items()}
        evaluate = jax.jit(lambda values: analysis.evaluate(data, CUTS.replace(**values), Soft()))
        gradient = jax.jit(jax.grad(evaluate))(start)
        for name in start:
            up, down = (evaluate({**start, name: start[name] + s}) for s in (1e-3, -1e-3))
            np.testing.assert_allclose(gradient[name], (up - down) / 2e-3, rtol=1e-5)


def test_reads_include_those_of_the_systematics():
    assert ANALYSIS.reads == ("Jet_pt", "Jet_phi", "MET_pt", "MET_phi", "event")
    assert PROCESSES[-1] == "top_other"
