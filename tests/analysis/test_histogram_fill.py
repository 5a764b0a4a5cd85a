"""Soft and hard filling against scipy, boost-histogram and central differences."""

from __future__ import annotations

import functools

import hist
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.stats import norm

from hepgrad.analysis.histogram import Regular, Variable, fill_hard, fill_soft

AXES = [Regular(8, 0, 100, name="x"), Variable([0, 10, 15, 40, 70, 100], name="x")]


def sample(size, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(50, 40, size).astype(dtype),
        rng.uniform(-0.3, 1.5, size).astype(dtype),
        rng.uniform(0, 1, size).astype(dtype),
        rng.integers(0, 3, size).astype(np.int32),
    )


def soft_reference(values, weight, probability, edges, bandwidth):
    """All entries times all bins, in double precision."""
    padded = np.concatenate([[-np.inf], edges, [np.inf]])
    contents = np.diff(norm.cdf((padded[:, None] - values.astype(np.float64)) / bandwidth), axis=0)
    return contents @ (weight * probability), contents @ (weight**2 * probability)


@pytest.mark.parametrize("axis", AXES, ids=type)
@pytest.mark.parametrize("size", [0, 1, 7, 100, 4097])
def test_soft_filling_is_the_sum_over_gaussians(x64, axis, size):
    values, weight, probability, _ = sample(size)
    counts = fill_soft(values, weight, axis, bandwidth=7.0, probability=probability, block_size=64)
    sumw, sumw2 = soft_reference(values, weight, probability, axis.edges, 7.0)
    np.testing.assert_allclose(counts.sumw, sumw, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(counts.sumw2, sumw2, rtol=1e-12, atol=1e-12)
    assert counts.sumw.shape == (axis.edges.size + 1,)


@pytest.mark.parametrize("fill", [functools.partial(fill_soft, bandwidth=3.0), fill_hard], ids=["soft", "hard"])
@pytest.mark.parametrize("order", ["random", "sorted"])
def test_a_million_float32_entries_are_summed_to_one_in_a_million(fill, order):
    values, weight, probability, _ = sample(1_000_000, dtype=np.float32)
    weight = np.abs(weight) + np.float32(0.1)
    if order == "sorted":
        values.sort()
    axis = Variable([-20, 0, 49, 51, 100, 180])
    exact = soft_reference(values, weight.astype(np.float64), probability.astype(np.float64), axis.edges, 3.0)
    if fill is fill_hard:
        exact = [
            np.histogram(values, [-np.inf, *axis.edges, np.inf], weights=w.astype(np.float64) * probability)[0]
            for w in (weight, weight.astype(np.float64) ** 2)
        ]
    counts = fill(values, weight, axis, probability=probability)
    assert counts.sumw.dtype == jnp.float32
    np.testing.assert_allclose(counts.sumw, exact[0], rtol=1e-6)
    np.testing.assert_allclose(counts.sumw2, exact[1], rtol=1e-6)


def test_derivatives_of_soft_filling(x64):
    """Every argument at once, forward and reverse, against central differences; then a Hessian-vector product."""
    values, weight, probability, groups = sample(23)

    @jax.jit
    def fill(values, weight, probability, bandwidth, edges):
        common = {"groups": groups, "num_groups": 3, "block_size": 8}
        return fill_soft(values, weight, edges, bandwidth=bandwidth, probability=probability, **common)

    arguments = tuple(map(jnp.asarray, (values, weight, probability, 9.0, [0.0, 10, 15, 40, 70, 100])))
    check_grads(fill, arguments, order=1, modes=("fwd", "rev"), atol=1e-7, rtol=1e-7)

    gradient = jax.jit(jax.grad(lambda arguments: jnp.sum(fill(*arguments).sumw ** 3)))
    direction = jax.tree.map(lambda x: 1e-5 * jnp.cos(jnp.arange(x.size)).reshape(x.shape), arguments)
    up, down = (gradient(jax.tree.map(lambda x, d: x + sign * d, arguments, direction)) for sign in (1, -1))  # noqa: B023
    product = jax.jvp(gradient, (arguments,), (direction,))[1]
    for exact, plus, minus in zip(product, up, down, strict=True):
        np.testing.assert_allclose(exact, (plus - minus) / 2, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("argument", range(5), ids=["values", "weight", "probability", "bandwidth", "edges"])
def test_derivative_with_respect_to_one_argument(x64, argument):
    """Arguments that are not differentiated take another path; their absence must not change the gradient."""
    values, weight, probability, _ = sample(23)
    arguments = tuple(map(jnp.asarray, (values, weight, probability, 9.0, [0.0, 10, 15, 40, 70, 100])))

    def loss(values, weight, probability, bandwidth, edges):
        return fill_soft(values, weight, edges, bandwidth=bandwidth, probability=probability).sumw @ jnp.arange(7.0)

    together = jax.grad(loss, argnums=tuple(range(5)))(*arguments)[argument]
    np.testing.assert_allclose(jax.grad(loss, argnums=argument)(*arguments), together, rtol=1e-12)
    np.testing.assert_allclose(jax.jacfwd(loss, argnums=argument)(*arguments), together, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("fill", [functools.partial(fill_soft, bandwidth=5.0), fill_hard], ids=["soft", "hard"])
def test_groups_are_separate_histograms(x64, fill):
    values, weight, probability, groups = sample(500)
    groups[::50] = [-1, 3] * 5
    together = fill(values, weight, AXES[0], probability=probability, groups=groups, num_groups=3, block_size=128)
    assert together.sumw.shape == (3, 10)
    for group in range(3):
        mine = groups == group
        alone = fill(values[mine], weight[mine], AXES[0], probability=probability[mine])
        np.testing.assert_allclose(together[group].sumw, alone.sumw, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(together[group].sumw2, alone.sumw2, rtol=1e-12, atol=1e-12)


def test_a_small_bandwidth_gives_the_hard_histogram():
    values, weight, probability, _ = sample(1000, dtype=np.float32)
    hard = fill_hard(values, weight, AXES[0], probability=probability)
    for bandwidth in (1e-4, 1e-20, 1e-36):
        soft = fill_soft(values, weight, AXES[0], bandwidth=bandwidth, probability=probability)
        np.testing.assert_allclose(soft.sumw, hard.sumw, rtol=1e-5)
        np.testing.assert_allclose(soft.sumw2, hard.sumw2, rtol=1e-5)


def test_nothing_breaks_gradients():
    """Values that are infinite, NaN or far away, and tiny bandwidths: finite gradients, and none for the value."""
    values = jnp.array([jnp.inf, -jnp.inf, jnp.nan, 1e30, -1e30, 50.0])

    def total(values, weight, bandwidth, edges):
        return fill_soft(values, weight, edges, bandwidth=bandwidth).sumw @ jnp.arange(4.0)

    edges = jnp.array([0.0, 40.0, 60.0])
    jacobians = [jax.jit(jacobian(total, argnums=(0, 1, 2, 3))) for jacobian in (jax.jacrev, jax.jacfwd)]
    for bandwidth in (1e-30, 3.0, 1e6):
        for jacobian in jacobians:
            gradients = jacobian(values, jnp.ones(6), bandwidth, edges)
            assert all(jnp.isfinite(gradient).all() for gradient in gradients)
            assert gradients[0][:5].tolist() == [0] * 5
    counts = fill_soft(values, 1.0, edges, bandwidth=1.0)
    assert counts.sumw.tolist() == [2, 0, 1, 3]


def test_entries_of_weight_zero_change_nothing():
    values = jnp.array([20.0, jnp.nan, jnp.inf])
    weight = jnp.array([1.0, 0.0, 0.0])
    for fill in (functools.partial(fill_soft, bandwidth=5.0), fill_hard):
        assert fill(values, weight, AXES[0]).sumw.tolist() == fill(values[:1], weight[:1], AXES[0]).sumw.tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "axis",
    [
        Regular(10, 0, 1), Regular(3, -1, 1), Regular(2, -1, 1), Regular(49, 0.1, 0.7), Regular(7, 1e6, 1e6 + 1),
        Variable([-2, 0.1, 0.3, 0.7, 5]),
    ],
    ids=repr,
)  # fmt: skip
def test_hard_filling_is_that_of_boost_histogram_at_every_edge(x64, axis, dtype):
    is_regular = isinstance(axis, Regular)
    peer = hist.axis.Regular(axis.bins, axis.start, axis.stop) if is_regular else hist.axis.Variable(axis.edges)
    near = axis.edges.astype(dtype)
    values = [near, np.array([np.nan, np.inf, -np.inf, 0, 1e-17, -1e-17], dtype)]
    for toward in (-np.inf, np.inf):
        step = near
        for _ in range(3):
            step = np.nextafter(step, dtype(toward))
            values.append(step)
    values = np.concatenate(values)
    values = values[~(np.abs(values) < np.finfo(dtype).tiny) | (values == 0)]  # XLA takes subnormals for zero
    expected = np.asarray(peer.index(values.astype(np.float64))) + 1
    found = [int(jnp.argmax(fill_hard(value, 1.0, axis).sumw)) for value in values[:, None]]
    assert found == expected.tolist()


@pytest.mark.parametrize("axis", AXES, ids=type)
def test_hard_filling_agrees_with_hist(x64, axis):
    values, weight, probability, _ = sample(10_000)
    passes = probability > 0.4
    is_regular = isinstance(axis, Regular)
    peer = hist.axis.Regular(axis.bins, axis.start, axis.stop) if is_regular else hist.axis.Variable(axis.edges)
    expected = hist.Hist(peer, storage=hist.storage.Weight()).fill(values[passes], weight=weight[passes])
    counts = jax.jit(lambda v, w, p: fill_hard(v, w, axis, probability=p))(values, weight, passes)
    np.testing.assert_allclose(counts.sumw, expected.values(flow=True), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(counts.sumw2, expected.variances(flow=True), rtol=1e-12)


def test_hard_filling_has_the_gradient_of_the_weights(x64):
    values, weight, probability, _ = sample(40)

    def fill(weight, probability):
        return fill_hard(values, weight, AXES[0], probability=probability, block_size=16)

    check_grads(fill, (jnp.asarray(weight), jnp.asarray(probability)), order=1, atol=1e-6, rtol=1e-6)
    assert not jax.grad(lambda v: fill_hard(v, 1.0, AXES[0]).sumw[2])(jnp.asarray(values)).any()


def test_filling_is_one_program_under_vmap_and_jit():
    values, weight, _, _ = sample(300, dtype=np.float32)
    batched = jax.jit(jax.vmap(lambda v, h: fill_soft(v, weight, AXES[0], bandwidth=h, block_size=64)))
    counts = batched(np.stack([values, values + 1]), jnp.array([1.0, 5.0]))
    np.testing.assert_allclose(counts.sumw[1], fill_soft(values + 1, weight, AXES[0], bandwidth=5.0).sumw, rtol=1e-5)


def test_memory_does_not_grow_with_the_number_of_bins():
    def temporaries(bins):
        def loss(values, weight):
            return jnp.sum(fill_soft(values, weight, Regular(bins, 0, 100), bandwidth=3.0).sumw ** 2)

        shape = jax.ShapeDtypeStruct((400_000,), jnp.float32)
        return (
            jax.jit(jax.grad(loss, argnums=(0, 1))).lower(shape, shape).compile().memory_analysis().temp_size_in_bytes
        )

    assert temporaries(64) < 64 * 400_000 < 4 * 64 * 400_000
    assert temporaries(64) < temporaries(8) + 5e6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bandwidth": 0.0}, "bandwidth must be positive"),
        ({"bandwidth": jnp.ones(3)}, "bandwidth must be a scalar"),
        ({"weight": jnp.ones(2)}, r"weight must .* \(3,\); got shape \(2,\)"),
        ({"probability": jnp.ones(2)}, "probability must"),
        ({"groups": jnp.zeros(3, int)}, "groups and num_groups go together"),
        ({"groups": jnp.zeros(3), "num_groups": 1}, "groups must be integers"),
        ({"groups": jnp.zeros(3, int), "num_groups": 0}, "at least 1"),
        ({"axis": jnp.ones(1)}, "at least two edges"),
        ({"block_size": 0}, "block_size"),
    ],
)
def test_mistakes_are_named(arguments, message):
    defaults = {"values": jnp.ones(3), "weight": 1.0, "axis": AXES[0], "bandwidth": 1.0}
    with pytest.raises(ValueError, match=message):
        fill_soft(**(defaults | arguments))
