"""The Poisson-binomial distribution against enumeration of all outcomes."""

from __future__ import annotations

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.ragged.probability import poisson_binomial as counting

pytestmark = pytest.mark.usefixtures("quick_compilation")

ROWS = [[0.5, 0.5], [], [1.0, 0.25, 0.0], [1e-9, 2e-9], [0.3] * 6, [1.0, 1.0, 0.5], [0.9, 0.1, 0.7, 0.2]]
SIZE = sum(map(len, ROWS))


def enumerate_counts(row):
    """Return the probability of each number of passes, from the probabilities of all 2**n outcomes."""
    result = np.zeros(len(row) + 6)
    for outcome in itertools.product((0, 1), repeat=len(row)):
        result[sum(outcome)] += np.prod([p if passed else 1 - p for p, passed in zip(row, outcome, strict=True)])
    return result


EXACTLY = [enumerate_counts(row) for row in ROWS]


@pytest.fixture(params=["walk", "scan"])
def method(request, monkeypatch):
    """Use the walk in step, or the scan that long rows would get."""
    if request.param == "scan":
        monkeypatch.setattr(counting, "STEPS", 0)
    jax.clear_caches()
    yield
    jax.clear_caches()


def slack():
    x = rg.from_lists(ROWS, capacity=SIZE + 5)
    return x.with_content(x.content.at[SIZE:].set(jnp.nan))


@pytest.mark.thorough
@pytest.mark.parametrize("n", [0, 1, 4])
def test_values(n, method):
    for p in (rg.from_lists(ROWS), slack()):
        exactly, at_least = jax.jit(lambda p: (rg.count_probability(p, n), rg.at_least_probability(p, n)))(p)
        np.testing.assert_allclose(exactly, [row[: n + 1] for row in EXACTLY], rtol=2e-6)
        np.testing.assert_allclose(at_least, [row[n:].sum() for row in EXACTLY], rtol=2e-6)


def test_eager_and_nested():
    p = rg.from_lists([ROWS[:3], [], ROWS[3:]])
    flat = rg.count_probability(rg.from_lists(ROWS), 2)
    np.testing.assert_allclose(rg.count_probability(p, 2).content, flat)
    assert rg.to_list(rg.at_least_probability(p, 0)) == [[1, 1, 1], [], [1, 1, 1, 1]]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("function", "n"), [(rg.count_probability, 2), (rg.at_least_probability, 1), (rg.at_least_probability, 3)]
)
def test_derivatives(function, n, method, x64):
    """The probabilities are polynomials in each p, so that central differences hold also at p = 0 and 1."""
    p = slack()
    content = p.content.astype(float)
    shape = function(p, n).shape
    weight = jnp.sin(1 + jnp.arange(float(np.prod(shape)))).reshape(shape)

    def loss(content):
        return jnp.sum(function(p.with_content(content), n) * weight)

    reverse, forward, twice, again = jax.jit(
        lambda c: (jax.grad(loss)(c), jax.jacfwd(loss)(c), jax.jacrev(jax.grad(loss))(c), jax.jacfwd(jax.grad(loss))(c))
    )(content)
    np.testing.assert_allclose(reverse, forward, atol=1e-12)
    np.testing.assert_allclose(twice, again, atol=1e-12)
    np.testing.assert_array_equal(reverse[SIZE:], 0)
    np.testing.assert_array_equal(twice[SIZE:], 0)

    @jax.jit
    def moved(i, step):
        return loss(content.at[i].add(step)), jax.grad(loss)(content.at[i].add(step))

    for i in range(SIZE):
        # P(>= 1) takes p above 1 for 1
        up, down = (0 if n == 1 and content[i] == 1 else 1e-4), -1e-4
        (high, slope_high), (low, slope_low) = moved(i, up), moved(i, down)
        np.testing.assert_allclose(reverse[i], (high - low) / (up - down), atol=1e-7)
        np.testing.assert_allclose(twice[i], (slope_high - slope_low) / (up - down), atol=1e-7)


def test_no_cancellation():
    """Tiny probabilities keep their relative accuracy in float32."""
    p = rg.from_lists([[1e-6] * 3, [1 - 2**-20] * 3])
    np.testing.assert_allclose(rg.at_least_probability(p, 2)[0], 3e-12, rtol=1e-5)
    np.testing.assert_allclose(rg.at_least_probability(p, 1)[0], 3e-6, rtol=1e-5)
    np.testing.assert_allclose(rg.count_probability(p, 0)[1, 0], 2.0**-60, rtol=1e-5)
    np.testing.assert_allclose(rg.count_probability(p, 2)[1, 2], 3 * 2.0**-20, rtol=1e-5)


def test_hard_cuts_give_the_hard_answer():
    rng = np.random.default_rng(5)
    passed = np.split(rng.integers(0, 2, 300), np.sort(rng.integers(0, 300, 99)))
    p = rg.from_lists([list(map(float, row)) for row in passed])
    counts = np.array([row.sum() for row in passed])
    for n in (1, 2, 4):
        np.testing.assert_array_equal(rg.at_least_probability(p, n), counts >= n)
        np.testing.assert_array_equal(rg.count_probability(p, n), counts[:, None] == np.arange(n + 1))


def test_one_very_long_row():
    p = rg.from_lists([[0.001] * 3000, []])
    result = jax.jit(partial(rg.at_least_probability, n=3))(rg.from_lists([[0.001] * 3000, []], capacity=4000))
    expected = 1 - sum(
        np.exp(3000 * np.log1p(-0.001) + np.log([1, 3000, 3000 * 2999 / 2][k]) + k * np.log(0.001 / 0.999))
        for k in range(3)
    )
    np.testing.assert_allclose(result, [expected, 0], rtol=1e-4)
    np.testing.assert_allclose(rg.at_least_probability(p, 3), [expected, 0], rtol=1e-4)


def test_errors():
    p = rg.from_lists(ROWS)
    with pytest.raises(ValueError, match="not be negative"):
        rg.count_probability(p, -1)
    with pytest.raises(TypeError, match="n must be an integer"):
        rg.at_least_probability(p, 1.5)
