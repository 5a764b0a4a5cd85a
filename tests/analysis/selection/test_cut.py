"""Cuts in the soft, hard and straight-through reading."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Hard, Parameter, Parameters, Soft, StraightThrough
from hepgrad.analysis.selection.cut import Pass, as_probability

pytestmark = pytest.mark.usefixtures("quick_compilation")

PT = rg.from_lists([[50.0, 30.0, 20.0], [], [30.0]])


def cuts(reading, value=30.0):
    return Parameters(pt=Parameter(value, bounds=(10, 60), width=5.0)).cuts(reading)


def test_soft_pass_is_a_sigmoid():
    p = (cuts(Soft(0.5)).pt < PT).probability
    np.testing.assert_allclose(p.content, 1 / (1 + np.exp(-(np.array([50, 30, 20, 30]) - 30) / 2.5)), rtol=1e-6)


def test_hard_pass_distinguishes_strict_comparisons():
    cut = cuts(Hard())
    assert (cut.pt < PT).probability.to_list() == [[1, 0, 0], [], [0]]
    assert (cut.pt <= PT).probability.to_list() == [[1, 1, 0], [], [1]]
    assert (cut.pt > PT).probability.to_list() == [[0, 0, 1], [], [0]]
    assert (cut.pt >= PT).probability.to_list() == [[0, 1, 1], [], [1]]


def test_comparison_from_either_side():
    cut, pt = cuts(Soft()).pt, PT
    np.testing.assert_array_equal((cut < pt).probability.content, (pt > cut).probability.content)
    np.testing.assert_array_equal((cut >= pt).probability.content, (pt <= cut).probability.content)


def test_event_level_arrays_and_numpy_arrays():
    met = np.array([10.0, 40.0], np.float32)
    for values in (met, jnp.asarray(met)):
        assert (values > cuts(Hard()).pt).probability.tolist() == [0.0, 1.0]


def test_soft_becomes_hard_as_the_width_vanishes():
    x = jnp.array([29.0, 29.9, 30.1, 31.0])
    soft = (x > cuts(Soft(1e-3)).pt).probability
    np.testing.assert_allclose(soft, (x > cuts(Hard()).pt).probability, atol=1e-7)


def test_straight_through_has_hard_value_and_soft_slope():
    def passed(value, reading):
        return jnp.sum((jnp.array([28.0, 33.0]) > cuts_at(value, reading).pt).probability)

    def cuts_at(value, reading):
        p = Parameters(pt=Parameter(30.0, bounds=(10, 60), width=5.0))
        return jax.tree.unflatten(jax.tree.structure(p), [value]).cuts(reading)

    assert float(passed(jnp.asarray(30.0), StraightThrough())) == 1.0
    slope = jax.grad(passed)(jnp.asarray(30.0), StraightThrough())
    np.testing.assert_allclose(slope, jax.grad(passed)(jnp.asarray(30.0), Soft()), rtol=1e-6)


def test_steep_cuts_have_finite_gradients_in_float32():
    def passed(threshold):
        return jax.nn.sigmoid((jnp.array([-1e4, 0.0, 1e4], jnp.float32) - threshold) / 1e-3).sum()

    assert np.isfinite(jax.grad(passed)(0.0))
    p = Parameters(pt=Parameter(30.0, bounds=(10, 60), width=1e-3))
    slope = jax.grad(lambda p: jnp.sum((p.cuts(Soft()).pt < PT * 100).probability.content))(p)
    assert np.isfinite(slope["pt"])


def test_passes_compose_like_independent_events():
    a, b = Pass(jnp.array([0.0, 0.3, 1.0])), Pass(jnp.array([0.5, 0.5, 0.5]))
    np.testing.assert_allclose((a & b).probability, [0, 0.15, 0.5])
    np.testing.assert_allclose((a | b).probability, [0.5, 0.65, 1.0])
    np.testing.assert_allclose((~a).probability, [1, 0.7, 0])


def test_booleans_are_passes():
    a = Pass(jnp.array([0.2, 0.4]))
    mask = jnp.array([True, False])
    for both in (a & mask, mask & a):
        np.testing.assert_allclose(both.probability, [0.2, 0.0])
    ragged = (cuts(Soft()).pt < PT) & (PT < 45.0)
    assert ragged.probability.to_list()[0][0] == 0.0
    np.testing.assert_allclose(((PT < 45.0) & (cuts(Soft()).pt < PT)).probability.content, ragged.probability.content)


def test_numbers_are_not_passes():
    with pytest.raises(TypeError, match="a selection needs a comparison or booleans, not numbers of type float32"):
        as_probability(jnp.array([0.5]))
    with pytest.raises(TypeError, match="not str"):
        as_probability("pt > 30")


def test_events_keep_their_precision(x64):
    parameters = Parameters(pt=Parameter(30.0, bounds=(10, 60)))
    assert parameters["pt"].dtype == jnp.float64
    assert (jnp.ones(2, jnp.float32) > parameters.cuts(Soft()).pt).probability.dtype == jnp.float32


def test_what_is_missing_passes_no_cut():
    x = jnp.array([jnp.nan, 50.0])
    for reading in (Soft(), Hard(), StraightThrough()):

        def passed(p, reading=reading):
            cut = p.cuts(reading)
            return ((x > cut.pt) & (x < cut.pt + 40)).probability

        parameters = Parameters(pt=Parameter(30.0, bounds=(10, 60), width=5.0))
        assert passed(parameters)[0] == 0
        assert np.isfinite(jax.grad(lambda p: passed(p).sum())(parameters)["pt"])
        assert (~(x > parameters.cuts(reading).pt)).probability[0] == 1


@pytest.mark.parametrize(
    "use",
    [
        lambda a, b: a and b,
        lambda a, b: a or b,
        lambda a, b: not a,
        lambda a, b: 1 if a else 2,
        lambda a, b: cuts(Soft(), 20.0).pt < PT < cuts(Soft(), 40.0).pt,
    ],
)
def test_a_pass_is_neither_true_nor_false(use):
    passed = cuts(Soft()).pt < PT
    with pytest.raises(TypeError, match=r"write `a & b` .*`a \| b` .*`~a` .*`window\(x, low, high\)`.*`select`"):
        use(passed, passed)
