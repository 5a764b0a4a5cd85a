"""Which object is chosen, against the enumeration of all outcomes."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg

pytestmark = pytest.mark.usefixtures("quick_compilation")

ROWS = [[0.5, 0.5], [], [1.0, 0.25, 0.0], [0.3] * 5, [1.0, 1.0, 0.5], [0.9, 0.1, 0.7, 0.2]]
SIZE = sum(map(len, ROWS))


def enumerated(choose):
    """Return each object's probability to be chosen, where ``choose`` gives the shares of those that pass."""
    result = []
    for row in ROWS:
        total = np.zeros(len(row))
        for outcome in itertools.product((False, True), repeat=len(row)):
            chance = np.prod([p if passed else 1 - p for p, passed in zip(row, outcome, strict=True)])
            total += chance * choose(np.array(outcome, bool))
        result.append(total)
    return np.concatenate(result)


def nth(n):
    return lambda passed: passed & (np.cumsum(passed) == n)


def drawn(passed):
    return passed / max(passed.sum(), 1)


def slack():
    x = rg.from_lists(ROWS, capacity=SIZE + 3)
    return x.with_content(x.content.at[SIZE:].set(jnp.nan))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_nth_to_pass(n):
    for p in (rg.from_lists(ROWS), slack()):
        shares = jax.jit(lambda p: rg.nth_probability(p, n))(p)
        np.testing.assert_allclose(shares.content[:SIZE], enumerated(nth(n)), rtol=1e-6)
        np.testing.assert_allclose(rg.sum(shares, axis=1), rg.at_least_probability(p, n), rtol=1e-6)


def test_one_drawn_of_those_that_pass():
    for p in (rg.from_lists(ROWS), slack()):
        shares = jax.jit(rg.draw_probability)(p)
        np.testing.assert_allclose(shares.content[:SIZE], enumerated(drawn), rtol=1e-6)


def test_nested_and_long_rows(x64):
    nested = rg.from_lists([ROWS[:3], [], ROWS[3:]])
    np.testing.assert_allclose(rg.draw_probability(nested).content.content, enumerated(drawn), rtol=1e-12)
    assert rg.nth_probability(nested, 1).counts.tolist() == [3, 0, 3]
    # all pass: each of n is drawn with probability 1/n
    for n, tolerance in ((128, 1e-12), (600, 1e-7)):
        np.testing.assert_allclose(rg.draw_probability(rg.from_lists([[1.0] * n])).content, 1 / n, rtol=tolerance)


@pytest.mark.parametrize("function", [lambda p: rg.nth_probability(p, 2), rg.draw_probability], ids=["nth", "draw"])
def test_derivatives(function, x64):
    """Polynomials in each p, so that central differences hold also at p = 0 and 1."""
    p = slack()
    weight = jnp.sin(1 + jnp.arange(SIZE + 3.0)).at[SIZE:].set(0)

    @jax.jit
    def derivatives(content):
        def loss(content):
            return jnp.sum(jnp.where(weight != 0, function(p.with_content(content)).content * weight, 0))

        gradient = jax.grad(loss)
        direction = jnp.cos(jnp.arange(SIZE + 3.0))
        return (
            loss(content),
            gradient(content),
            jax.jacfwd(loss)(content),
            jax.jvp(gradient, (content,), (direction,))[1],
        )

    content, h = p.content.at[SIZE:].set(0.3).astype(float), 1e-5
    _, reverse, forward, second = derivatives(content)
    np.testing.assert_allclose(reverse, forward, atol=1e-12)
    np.testing.assert_array_equal(reverse[SIZE:], 0)
    for i in range(SIZE):
        step = jnp.zeros(SIZE + 3).at[i].set(h)
        difference = (derivatives(content + step)[0] - derivatives(content - step)[0]) / (2 * h)
        np.testing.assert_allclose(reverse[i], difference, atol=1e-8)
    step = h * jnp.cos(jnp.arange(SIZE + 3.0))
    difference = (derivatives(content + step)[1] - derivatives(content - step)[1]) / (2 * h)
    np.testing.assert_allclose(second, difference, atol=1e-8)


def test_errors():
    p = rg.from_lists(ROWS)
    with pytest.raises(ValueError, match="places count from 1"):
        rg.nth_probability(p, 0)
    with pytest.raises(TypeError, match="n must be an integer"):
        rg.nth_probability(p, 1.5)
    with pytest.raises(TypeError, match="not on records"):
        rg.draw_probability(rg.from_lists([[{"pt": 1.0}]]))
