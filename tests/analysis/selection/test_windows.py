"""The window: a probability for any two sides, precise far outside, empty when they have crossed."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepgrad import ragged as rg
from hepgrad.analysis import Hard, Parameter, Parameters, Soft, StraightThrough, window

pytestmark = pytest.mark.usefixtures("quick_compilation")

CUTS = Parameters(
    low=Parameter(70.0, bounds=(0, 200), width=2.0),
    high=Parameter(110.0, bounds=(0, 200), width=2.0),
    wide=Parameter(110.0, bounds=(0, 200), width=10.0),
)
X = jnp.array([-1e4, 30.0, 60.0, 70.0, 90.0, 110.0, 120.0, 300.0, 1e4])


@jax.jit
def inside(x, cuts, reading):
    cut = cuts.cuts(reading)
    return window(x, cut.low, cut.high).probability, window(x, cut.low, cut.wide).probability


def exact(x, low, high, a, b):
    """Return max(0, sigmoid(a) - sigmoid(b)) in double precision from the smaller tails."""
    a, b = (np.asarray(x, float) - low) / a, (np.asarray(x, float) - high) / b
    with np.errstate(over="ignore"):
        upper = 1 / (1 + np.exp(b)) - 1 / (1 + np.exp(a))
        lower = 1 / (1 + np.exp(-a)) - 1 / (1 + np.exp(-b))
    return np.maximum(np.where(a + b > 0, upper, lower), 0)


def test_value_is_the_difference_of_two_sigmoids_also_in_the_tails():
    for result, width in zip(inside(X, CUTS, Soft()), (2.0, 10.0), strict=True):
        assert result.dtype == jnp.float32
        np.testing.assert_allclose(result, exact(X, 70, 110, 2.0, width), rtol=1e-4, atol=1e-37)


@settings(max_examples=50, deadline=None)
@given(*[st.floats(0, 200, width=32)] * 2)
def test_always_a_probability_and_the_hard_window_in_the_limit(low, high):
    cuts = CUTS.replace(low=low, high=high, wide=high)
    soft = inside(X, cuts, Soft())
    assert all(np.all((p >= 0) & (p <= 1)) for p in soft)
    assert low < high or not np.any(soft[0])
    clear = (abs(X - low) > 0.1) & (abs(X - high) > 0.1)
    for p in inside(X, cuts, Soft(1e-4)):
        np.testing.assert_allclose(np.where(clear, p, 0), clear & (low < X) & (high > X), atol=1e-6)


def test_hard_and_straight_through():
    hard, soft, through = (inside(X, CUTS, reading) for reading in (Hard(), Soft(), StraightThrough()))
    assert hard[0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    np.testing.assert_array_equal(through[0], hard[0])
    slopes = [jax.grad(lambda c, r=r: jnp.sum(inside(X, c, r)[0]))(CUTS)["low"] for r in (Soft(), StraightThrough())]
    np.testing.assert_allclose(*slopes, rtol=1e-6)
    assert soft[0][3] == pytest.approx(0.5)


def test_derivatives(x64):
    x = X.astype(float)[1:-2]

    @jax.jit
    def derivatives(low, high, wide):
        def total(*values):
            cuts = jax.tree.unflatten(jax.tree.structure(CUTS), values)
            return sum(jnp.sum(jnp.sin(x) * p) for p in inside(x, cuts, Soft()))

        point, direction = (low, high, wide), (1.0, 0.5, 2.0)
        value, forward = jax.jvp(total, point, direction)
        slope, second = jax.jvp(jax.grad(total, argnums=(0, 1, 2)), point, direction)
        return value, forward, jnp.stack(slope) @ jnp.array(direction), jnp.stack(second) @ jnp.array(direction)

    def at(h):
        return derivatives(69.0 + h, 108.0 + 0.5 * h, 115.0 + 2 * h)

    _, forward, reverse, second = at(0.0)
    h = 1e-4
    np.testing.assert_allclose(forward, reverse, rtol=1e-12)
    np.testing.assert_allclose(forward, (at(h)[0] - at(-h)[0]) / (2 * h), rtol=1e-6)
    np.testing.assert_allclose(second, (at(h)[1] - at(-h)[1]) / (2 * h), rtol=1e-6)


def test_numbers_ragged_values_and_missing_ones():
    mass = rg.from_lists([[60.0, 91.0], [], [200.0, float("nan")]])
    cut = CUTS.cuts(Hard())
    for p in (
        window(mass, 70, 110),
        window(mass, cut.low, 110),
        window(mass, 70.0, cut.high),
        window(mass, cut.low, cut.high),
    ):
        assert p.probability.to_list() == [[0, 1], [], [0, 0]]
    soft = window(mass, CUTS.cuts(Soft()).low, CUTS.cuts(Soft()).high).probability.to_list()
    assert soft[2][1] == 0
    assert window(jnp.array([1, 2, 3]), 1, 3).probability.tolist() == [0, 1, 0]
    one_sided = window(mass, 70, CUTS.cuts(Soft()).high).probability.to_list()
    np.testing.assert_allclose(one_sided[0], [0, 1 / (1 + np.exp((91 - 110) / 2))], rtol=1e-6)
    with pytest.raises(ValueError, match="nothing lies between 5 and 5"):
        window(mass, 5, 5)
