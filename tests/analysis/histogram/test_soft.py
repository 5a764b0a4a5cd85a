"""Soft filling against the formula for all bins in double precision, and its derivatives against differences."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import beta, norm

from hepgrad.analysis.histogram import Biweight, Gaussian, Regular, Variable, fill_hard, fill_soft

pytestmark = pytest.mark.usefixtures("quick_compilation")

REGULAR = Regular(40, 0, 100, name="x")
VARIABLE = Variable(np.cumsum(np.random.default_rng(3).uniform(1, 2, 81)) - 20, name="x")
KERNELS = [Biweight(), Gaussian()]


def sample(size, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(50, 40, size).astype(dtype),
        rng.uniform(-0.3, 1.5, size).astype(dtype),
        rng.uniform(0, 1, size).astype(dtype),
        rng.integers(0, 3, size).astype(np.int32),
    )


def biweight_below(u):
    """Return the distribution function of Beta(3, 3), stretched to standard deviation one."""
    t = np.clip(0.5 + u / (2 * np.sqrt(7)), 0, 1)
    return t**3 * (10 - 15 * t + 6 * t**2)


def fractions(values, edges, bandwidth, kernel):
    """Return the fraction of each entry in each bin, shape (bins + 2, n)."""
    below = norm.cdf if kernel == Gaussian() else biweight_below
    padded = np.concatenate([[-np.inf], edges, [np.inf]])
    with np.errstate(invalid="ignore"):
        return np.diff(below((padded[:, None] - np.asarray(values, np.float64)) / bandwidth), axis=0)


def reference(values, weight, probability, edges, bandwidth, kernel):
    """All entries times all bins, in double precision."""
    column = np.asarray(weight, np.float64) * probability
    return fractions(values, edges, bandwidth, kernel) @ np.stack([column, weight * column], axis=1)


def assert_close(counts, expected, **tolerance):
    np.testing.assert_allclose(counts.sumw, expected[..., 0], **tolerance)
    np.testing.assert_allclose(counts.sumw2, expected[..., 1], **tolerance)


def test_kernels_are_densities_of_standard_deviation_one():
    u = np.linspace(-3, 3, 101)
    peer = beta(3, 3, loc=-np.sqrt(7), scale=2 * np.sqrt(7))
    np.testing.assert_allclose(biweight_below(u), peer.cdf(u), atol=1e-12)
    assert peer.std() == pytest.approx(1)
    for kernel, distribution in ((Biweight(), peer), (Gaussian(), norm)):
        with jax.enable_x64(True):
            inside = np.clip(u / kernel.unit, -kernel.extent, kernel.extent)
            np.testing.assert_allclose(kernel.below(inside), distribution.cdf(u), atol=1e-12)
            np.testing.assert_allclose(kernel.density(inside) / kernel.unit, distribution.pdf(u), atol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize(
    ("axis", "bandwidth"),
    [(REGULAR, 1.25), (REGULAR, 0.1), (REGULAR, 20.0), (VARIABLE, 0.5), (Regular(100, 0, 100), 2.5)],
    ids=["some bins", "two bins", "all bins", "variable", "in a loop"],
)
def test_it_is_the_sum_over_kernels(x64, kernel, axis, bandwidth):
    values, weight, probability, _ = sample(150)
    counts = fill_soft(values, weight, axis, bandwidth=bandwidth, kernel=kernel, probability=probability, block_size=64)
    expected = reference(values, weight, probability, axis.edges, bandwidth, kernel)
    assert_close(counts, expected, rtol=1e-12, atol=1e-13)
    assert counts.sumw.sum() == pytest.approx(weight @ probability, rel=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_bandwidth_and_edges_may_be_known_only_at_run_time(x64, kernel):
    values, weight, probability, _ = sample(150)

    @jax.jit
    def fill(bandwidth, edges):
        return [
            fill_soft(values, weight, axis, bandwidth=bandwidth, kernel=kernel, probability=probability)
            for axis in (Regular(100, 0, 100), edges)
        ]

    edges = np.linspace(0, 1, 41) ** 2 * 100
    for bandwidth in (1e-3, 0.5, 0.51, 2.0, 9.0, 1e4):
        for counts, there in zip(fill(bandwidth, edges), (np.arange(101), edges), strict=True):
            expected = reference(values, weight, probability, there, bandwidth, kernel)
            assert_close(counts, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.thorough
def test_a_million_float32_entries_are_summed_to_one_in_a_million():
    values, weight, probability, _ = sample(1_000_000, dtype=np.float32)
    weight = np.abs(weight) + np.float32(0.1)
    for kernel, axis in ((Gaussian(), Variable([-20, 0, 49, 51, 180])), (Biweight(), Regular(12, -20, 180.1))):
        expected = reference(values, weight, probability, axis.edges, 3.0, kernel)
        for order in (slice(None), np.argsort(values)):
            counts = fill_soft(
                values[order], weight[order], axis, bandwidth=3.0, kernel=kernel, probability=probability[order]
            )
            assert counts.sumw.dtype == jnp.float32
            assert_close(counts, expected, rtol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_two_thousand_bins_are_as_accurate(kernel):
    """The edges 0.05 apart are rounded by up to 4e-6 in float32, the formula is not."""
    values, weight, probability, _ = sample(4000, dtype=np.float32)
    axis = Regular(2000, 0, 100)
    counts = fill_soft(values, np.abs(weight), axis, bandwidth=0.025, kernel=kernel, probability=probability)
    expected = reference(values, np.abs(weight), probability, axis.edges, 0.025, kernel)
    assert_close(counts, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.thorough
def test_derivatives(x64):
    """Of every argument at once, forward and reverse, of first and second order, against central differences."""
    values, weight, probability, groups = sample(60)

    def loss(arguments):
        values, weight, probability, bandwidth, edges = arguments
        common = {"probability": probability, "groups": groups, "num_groups": 3}
        counts = fill_soft(values, weight, edges, bandwidth=bandwidth, **common)
        return jnp.sum(jnp.arange(counts.sumw.shape[1]) * counts.sumw**3) + jnp.sum(counts.sumw2**2)

    forward = jax.jit(lambda arguments, direction: jax.jvp(loss, (arguments,), (direction,)))
    backward = jax.jit(lambda arguments, direction: jax.jvp(jax.grad(loss), (arguments,), (direction,)))
    edges = jnp.asarray(np.cumsum(np.random.default_rng(1).uniform(3, 5, 26)) - 5)
    for bandwidth in (1.3, 15.0):
        arguments = (*map(jnp.asarray, (values, weight, probability, bandwidth)), edges)
        direction = jax.tree.map(lambda x: 1e-5 * jnp.cos(jnp.arange(x.size)).reshape(x.shape), arguments)
        up, down = (jax.tree.map(jnp.add, arguments, direction), jax.tree.map(jnp.subtract, arguments, direction))
        difference = (forward(up, direction)[0] - forward(down, direction)[0]) / 2
        np.testing.assert_allclose(forward(arguments, direction)[1], difference, rtol=1e-7)
        gradient, change = backward(arguments, direction)
        np.testing.assert_allclose(sum(map(jnp.vdot, gradient, direction)), difference, rtol=1e-7)
        expected = jax.tree.map(lambda u, d: (u - d) / 2, backward(up, direction)[0], backward(down, direction)[0])
        for exact, approximate in zip(change, expected, strict=True):
            np.testing.assert_allclose(exact, approximate, rtol=2e-5, atol=1e-9)


def fill_near(values, weight, probability):
    common = {"kernel": Gaussian(), "block_size": 16}
    return fill_soft(values, weight, REGULAR, bandwidth=1.0, probability=probability, **common)


def fill_in_a_loop(values, weight, probability):
    return fill_soft(values, weight, Regular(100, 0, 100), bandwidth=2.5, probability=probability)


def fill_plane(values, weight, probability):
    axes = (Regular(12, 0, 100), Variable([0, 20, 50, 60, 70, 90]))
    return fill_soft((values, values[::-1]), weight, axes, bandwidth=(3.0, 4.0), probability=probability)


@pytest.mark.thorough
@pytest.mark.parametrize("fill", [fill_near, fill_in_a_loop, fill_plane])
def test_derivatives_where_the_bandwidth_is_known(x64, fill):
    arguments = tuple(map(jnp.asarray, sample(40)[:3]))
    direction = jax.tree.map(lambda x: jnp.cos(jnp.arange(x.size)), arguments)
    forward = jax.jit(lambda arguments: jax.jvp(lambda x: fill(*x).sumw, (arguments,), (direction,)))
    steps = jax.tree.map(lambda d: 1e-5 * d, direction)
    up, down = (forward(jax.tree.map(to, arguments, steps))[0] for to in (jnp.add, jnp.subtract))
    slope = forward(arguments)[1]
    np.testing.assert_allclose(slope, (up - down) / 2e-5, rtol=1e-6, atol=1e-8)
    cotangent = jnp.sin(jnp.arange(slope.size)).reshape(slope.shape)
    back = jax.jit(jax.grad(lambda arguments: jnp.vdot(cotangent, fill(*arguments).sumw)))(arguments)
    np.testing.assert_allclose(sum(map(jnp.vdot, back, direction)), jnp.vdot(cotangent, slope), rtol=1e-10)


@pytest.mark.thorough
@pytest.mark.parametrize("bandwidth", [1.0, 30.0])
def test_groups_are_separate_histograms(x64, bandwidth):
    values, weight, probability, groups = sample(300)
    groups[::50] = [-1, 3] * 3
    fill = functools.partial(fill_soft, axis=REGULAR, bandwidth=bandwidth, block_size=128)
    together = fill(values, weight, probability=probability, groups=groups, num_groups=3)
    assert together.sumw.shape == (3, 42)
    for group in range(3):
        alone = fill(values, weight * (groups == group), probability=probability)
        np.testing.assert_allclose(together[group].sumw, alone.sumw, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(together[group].sumw2, alone.sumw2, rtol=1e-12, atol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_a_small_bandwidth_gives_the_hard_histogram(kernel):
    values, weight, probability, _ = sample(1000, dtype=np.float32)
    for axis in (REGULAR, VARIABLE, Variable([0, 10, 15, 40])):
        hard = fill_hard(values, weight, axis, probability=probability)
        for bandwidth in (1e-7, 1e-36):
            soft = fill_soft(values, weight, axis, bandwidth=bandwidth, kernel=kernel, probability=probability)
            np.testing.assert_allclose(soft.sumw, hard.sumw, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(soft.sumw2, hard.sumw2, rtol=1e-5, atol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("bandwidth", [1e-36, 1e-6, 1e-2])
def test_entries_on_edges_are_halved(bandwidth):
    for axis in (Regular(1000, -3.3, 40.1), VARIABLE):
        edges = jnp.asarray(axis.edges, jnp.float32)
        for binning in (axis, edges) if bandwidth > 1e-5 else (edges,):
            counts = fill_soft(edges, 2.0, binning, bandwidth=bandwidth)
            np.testing.assert_allclose(counts.sumw, [1, *[2] * (edges.size - 1), 1], atol=1e-3)


@pytest.mark.thorough
def test_entries_out_of_range_are_kept():
    for axis, bandwidth in itertools.product((REGULAR, VARIABLE, Variable([0, 1])), (0.5, 20.0)):
        middle = [0] * (axis.bins)
        below = fill_soft(jnp.full(3, -1e3), 1.0, axis, bandwidth=bandwidth)
        above = fill_soft(jnp.array([1e3, jnp.nan, jnp.inf]), 1.0, axis, bandwidth=bandwidth)
        assert below.sumw.tolist() == [3, *middle, 0]
        assert above.sumw.tolist() == [0, *middle, 3]


@pytest.mark.parametrize("axis", [REGULAR, VARIABLE, Variable([0, 1])], ids=["regular", "variable", "one bin"])
def test_nothing_gives_an_empty_histogram(axis):
    nothing = jnp.zeros(0)
    value, gradient = jax.value_and_grad(lambda x: fill_soft(x, 1.0, axis, bandwidth=0.5).sumw.sum())(nothing)
    assert value == 0
    assert gradient.shape == (0,)


@pytest.mark.thorough
def test_nothing_breaks_gradients():
    """Values that are infinite, NaN or far away, and tiny bandwidths: finite gradients, and none for the value."""
    values = jnp.array([jnp.inf, -jnp.inf, jnp.nan, 1e30, -1e30, 50.0])

    def total(values, weight, bandwidth, edges):
        counts = fill_soft(values, weight, edges, bandwidth=bandwidth)
        return counts.sumw @ jnp.arange(edges.size + 1)

    edges = jnp.arange(-1000.0, 1000.0, 20.0)
    for jacobian in (jax.jacrev, jax.jacfwd):
        compiled = jax.jit(jacobian(total, argnums=(0, 1, 2, 3)))
        for bandwidth in (1e-30, 3.0, 1e6):
            gradients = compiled(values, jnp.ones(6), bandwidth, edges)
            assert all(jnp.isfinite(gradient).all() for gradient in gradients)
            assert gradients[0][:5].tolist() == [0] * 5


def test_entries_of_weight_zero_change_nothing():
    values = jnp.array([20.0, jnp.nan, jnp.inf])
    weight = jnp.array([1.0, 0.0, 0.0])
    counts = fill_soft(values, weight, REGULAR, bandwidth=1.0)
    alone = fill_soft(values[:1], weight[:1], REGULAR, bandwidth=1.0)
    # another number of entries is another program, whose rounding may differ
    np.testing.assert_allclose(counts.sumw, alone.sumw, rtol=0, atol=1e-7)


@pytest.mark.thorough
def test_filling_is_one_program_under_vmap_and_jit():
    values, weight, _, _ = sample(300, dtype=np.float32)
    batched = jax.jit(jax.vmap(lambda v, h: fill_soft(v, weight, REGULAR, bandwidth=h, block_size=64)))
    counts = batched(np.stack([values, values + 1]), jnp.array([1.0, 5.0]))
    expected = fill_soft(values + 1, weight, REGULAR, bandwidth=5.0)
    np.testing.assert_allclose(counts.sumw[1], expected.sumw, rtol=1e-5, atol=1e-6)


@pytest.mark.thorough
def test_two_dimensions_are_a_product(x64):
    values, weight, probability, groups = sample(200)
    others = sample(200, seed=7)[0]
    first, second = Regular(12, 0, 100), Variable([0, 20, 50, 60, 70, 90])
    for bandwidths in ((4.0, 2.0), (20.0, 9.0)):
        counts = fill_soft(
            (values, others), weight, (first, second), bandwidth=bandwidths, probability=probability, block_size=64
        )
        x, y = (
            fractions(v, axis.edges, h, Biweight())
            for v, axis, h in zip((values, others), (first, second), bandwidths, strict=True)
        )
        column = weight * probability
        assert_close(counts, np.einsum("in,jn,nc->ijc", x, y, np.stack([column, weight * column], 1)), atol=1e-12)
        alone = fill_soft(values, weight, first, bandwidth=bandwidths[0], probability=probability)
        np.testing.assert_allclose(counts.sumw.sum(axis=-1), alone.sumw, atol=1e-12)
        grouped = fill_soft(
            (values, others),
            weight,
            (first, second),
            bandwidth=bandwidths,
            probability=probability,
            groups=groups,
            num_groups=3,
        )
        np.testing.assert_allclose(grouped.sumw.sum(axis=0), counts.sumw, atol=1e-12)


@pytest.mark.thorough
def test_memory_does_not_grow_with_the_number_of_bins():
    def temporaries(bins):
        def loss(values, weight):
            return jnp.sum(fill_soft(values, weight, Regular(bins, 0, 100), bandwidth=50 / bins).sumw ** 2)

        shape = jax.ShapeDtypeStruct((1_000_000,), jnp.float32)
        gradient = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
        return gradient.lower(shape, shape).compile().memory_analysis().temp_size_in_bytes

    few, many = temporaries(20), temporaries(2000)
    assert many < 1.2 * few
    assert few < 8 * 4_000_000


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
        ({"axis": (REGULAR, REGULAR)}, "2 axes, 1 values and 2 bandwidths"),
        ({"block_size": 0}, "block_size"),
    ],
)
def test_mistakes_are_named(arguments, message):
    defaults = {"values": jnp.ones(3), "weight": 1.0, "axis": REGULAR, "bandwidth": 1.0}
    with pytest.raises(ValueError, match=message):
        fill_soft(**(defaults | arguments))
