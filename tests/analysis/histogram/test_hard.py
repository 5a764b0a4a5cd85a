"""Hard filling against boost-histogram."""

from __future__ import annotations

import hist
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis.histogram import Regular, Variable, fill_hard

pytestmark = pytest.mark.usefixtures("quick_compilation")

AXES = [
    Regular(8, 0, 100),
    Variable([0, 10, 15, 40, 70, 100]),
    Regular(2000, 0.1, 99),
    Variable(np.linspace(0, 10, 301) ** 2),
]


def sample(size, dtype=np.float64):
    rng = np.random.default_rng(0)
    return (
        rng.normal(50, 40, size).astype(dtype),
        rng.uniform(-0.3, 1.5, size).astype(dtype),
        rng.uniform(0, 1, size) > 0.4,
        rng.integers(0, 3, size).astype(np.int32),
    )


def peer_of(axis):
    return (
        hist.axis.Regular(axis.bins, axis.start, axis.stop)
        if isinstance(axis, Regular)
        else hist.axis.Variable(axis.edges)
    )


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "axis",
    [
        Regular(10, 0, 1), Regular(3, -1, 1), Regular(2, -1, 1), Regular(49, 0.1, 0.7), Regular(7, 1e6, 1e6 + 1),
        Regular(300, -3.3, 1e4), Variable([-2, 0.1, 0.3, 0.7, 5]), Variable(np.arange(100) / 3),
    ],
    ids=lambda axis: f"{type(axis).__name__}{axis.bins}" if hasattr(axis, "bins") else axis.__name__,
)  # fmt: skip
def test_it_is_that_of_boost_histogram_at_every_edge(x64, axis, dtype):
    near = axis.edges.astype(dtype)
    values = [near, np.array([np.nan, np.inf, -np.inf, 0, 1e-17, -1e-17, 1e30, -1e30], dtype)]
    for toward in (-np.inf, np.inf):
        step = near
        for _ in range(3):
            step = np.nextafter(step, dtype(toward))
            values.append(step)
    values = np.concatenate(values)
    values = values[~(np.abs(values) < np.finfo(dtype).tiny) | (values == 0)]  # XLA takes subnormals for zero
    expected = np.asarray(peer_of(axis).index(values.astype(np.float64))) + 1
    each_its_own = fill_hard(values, 1.0, axis, groups=np.arange(values.size), num_groups=values.size)
    assert np.argmax(each_its_own.sumw, axis=1).tolist() == expected.tolist()


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: f"{type(axis).__name__}{axis.bins}")
def test_it_agrees_with_hist(x64, axis):
    values, weight, passes, _ = sample(10_000)
    expected = hist.Hist(peer_of(axis), storage=hist.storage.Weight()).fill(values[passes], weight=weight[passes])
    counts = jax.jit(lambda v, w, p: fill_hard(v, w, axis, probability=p))(values, weight, passes)
    np.testing.assert_allclose(counts.sumw, expected.values(flow=True), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(counts.sumw2, expected.variances(flow=True), rtol=1e-12)


def test_it_agrees_with_hist_in_two_dimensions(x64):
    values, weight, passes, groups = sample(10_000)
    first, second = AXES[1], Regular(20, 0, 1)
    expected = hist.Hist(
        hist.axis.IntCategory([0, 1, 2], overflow=False), peer_of(first), peer_of(second), storage=hist.storage.Weight()
    )
    expected.fill(groups[passes], values[passes], weight[passes], weight=weight[passes])
    counts = fill_hard((values, weight), weight, (first, second), probability=passes, groups=groups, num_groups=3)
    np.testing.assert_allclose(counts.sumw, expected.values(flow=True), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(counts.sumw2, expected.variances(flow=True), rtol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize("axis", AXES[:3], ids=lambda axis: f"{type(axis).__name__}{axis.bins}")
def test_a_million_float32_entries_are_summed_to_one_in_a_million(axis):
    """Also if they have the same weight, so that rounding errors do not cancel, and fall into the same bin."""
    values, weight, passes, _ = sample(1_000_000, np.float32)
    weight = np.abs(weight) + np.float32(0.1)
    edges = [-np.inf, *axis.edges, np.inf]
    for x, w in ((values, weight), (np.sort(values), np.full_like(weight, 0.1)), (np.full_like(values, 33), weight)):
        counts = fill_hard(x, w, axis, probability=passes)
        column = w.astype(np.float64) * passes
        np.testing.assert_allclose(counts.sumw, np.histogram(x, edges, weights=column)[0], rtol=1e-6)
        np.testing.assert_allclose(counts.sumw2, np.histogram(x, edges, weights=w * column)[0], rtol=1e-6)


def test_edges_may_be_traced():
    values, weight, _, _ = sample(100, np.float32)
    counts = jax.jit(lambda edges: fill_hard(values, weight, edges))(AXES[1].edges.astype(np.float32))
    np.testing.assert_array_equal(counts.sumw, fill_hard(values, weight, AXES[1]).sumw)


def test_groups_are_separate_histograms(x64):
    values, weight, passes, groups = sample(500)
    groups[::50] = [-1, 3] * 5
    together = fill_hard(values, weight, AXES[0], probability=passes, groups=groups, num_groups=3, block_size=128)
    assert together.sumw.shape == (3, 10)
    for group in range(3):
        alone = fill_hard(values, weight * (groups == group), AXES[0], probability=passes)
        np.testing.assert_allclose(together[group].sumw, alone.sumw, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(together[group].sumw2, alone.sumw2, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("axis", AXES[:2], ids=["regular", "variable"])
def test_nothing_gives_an_empty_histogram(axis):
    assert not fill_hard(jnp.zeros(0), 1.0, axis).sumw.any()


def test_entries_of_weight_zero_change_nothing():
    values, weight = jnp.array([20.0, jnp.nan, jnp.inf]), jnp.array([1.0, 0.0, 0.0])
    assert fill_hard(values, weight, AXES[0]).sumw.tolist() == fill_hard(values[:1], 1.0, AXES[0]).sumw.tolist()


def test_the_gradient_is_that_of_the_weights(x64):
    values, weight, passes, _ = sample(40)
    probability = passes * 0.5

    def bin_three(values, weight, probability):
        counts = fill_hard(values, weight, AXES[0], probability=probability, block_size=16)
        return counts.sumw[3] + 10 * counts.sumw2[3]

    inside = (values >= 25) & (values < 37.5)
    gradients = jax.jit(jax.grad(bin_three, argnums=(0, 1, 2)))(values, weight, probability)
    expected = (0 * values, inside * (1 + 20 * weight) * probability, inside * (weight + 10 * weight**2))
    np.testing.assert_allclose(gradients, expected, rtol=1e-12)
    forward = jax.jit(jax.jacfwd(bin_three, argnums=(1, 2)))(values, weight, probability)
    np.testing.assert_allclose(forward, expected[1:], rtol=1e-12)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="got 1 for 2 axes"):
        fill_hard(jnp.ones(3), 1.0, (AXES[0], AXES[1]))
    with pytest.raises(ValueError, match="weight must"):
        fill_hard(jnp.ones(3), jnp.ones(2), AXES[0])
