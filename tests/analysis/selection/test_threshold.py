"""Thresholds: affine arithmetic, elements of array parameters, and what they refuse."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Hard, Parameter, Parameters, Soft, Weights

pytestmark = pytest.mark.usefixtures("quick_compilation")

PT = rg.from_lists([[50.0, 30.0, 20.0], [], [30.0]])
CUTS = Parameters(
    pt=Parameter(30.0, bounds=(10, 60), width=5.0),
    other=Parameter(20.0, bounds=(10, 60)),
    bins=Parameter([20.0, 40.0], bounds=(10, 60), width=[4.0, 8.0]),
    net=Weights({"w": jnp.ones(2)}),
)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("change", "value", "width"),
    [
        (lambda t: t + 20, 50, 5),
        (lambda t: 20 + t, 50, 5),
        (lambda t: t - jnp.asarray(10.0), 20, 5),
        (lambda t: 10 - t, -20, 5),
        (lambda t: 2 * t, 60, 10),
        (lambda t: np.float32(-2) * t, -60, 10),
        (lambda t: t / 2, 15, 2.5),
        (lambda t: -t, -30, 5),
    ],
)
def test_arithmetic_with_numbers_is_that_on_the_other_side(change, value, width):
    x = jnp.array([-40.0, 20.0, 55.0])
    p = (x > change(CUTS.cuts(Soft()).pt)).probability
    np.testing.assert_allclose(p, sigmoid((np.asarray(x) - value) / width), rtol=1e-5)


def test_derivative_goes_through_arithmetic():
    def passed(cuts):
        cut = cuts.cuts(Soft())
        return jnp.sum((jnp.array([50.0]) > cut.pt + 0.5 * cut.other.value).probability)

    gradient = jax.grad(passed)(CUTS)
    assert float(gradient["pt"]) < 0
    np.testing.assert_allclose(gradient["other"], 0.5 * gradient["pt"], rtol=1e-6)


def test_what_is_not_clean_is_refused():
    cut = CUTS.cuts(Soft())
    with pytest.raises(TypeError, match=r"cut\.a \+ cut\.b\.value"):
        cut.pt + cut.other
    for operation in (lambda: cut.pt * jnp.ones(3), lambda: np.ones(3) * cut.pt, lambda: PT - cut.pt):
        with pytest.raises(TypeError, match=r"by one number, not by (an array|RaggedArray); move it to the other side"):
            operation()
    with pytest.raises(ValueError, match="scaled by 0"):
        0 * cut.pt


@pytest.mark.parametrize(
    "use", [bool, float, int, abs, math.sqrt, np.asarray, range, lambda t: t**2, lambda t: 1 / t, lambda t: t % 2]
)
@pytest.mark.parametrize("name", ["pt", "bins"])
def test_a_threshold_is_no_number(use, name):
    with pytest.raises(TypeError, match=r"a parameter is a threshold here, not a number.*\.value"):
        use(getattr(CUTS.cuts(Soft()), name))


def test_equality_is_refused():
    cut = CUTS.cuts(Soft())
    for compare in (lambda: cut.pt == 30.0, lambda: jnp.ones(2) == cut.pt, lambda: cut.pt != PT):
        with pytest.raises(TypeError, match="no derivative; ask for a range with window"):
            compare()


def test_elements_of_an_array():
    cut = CUTS.cuts(Soft())
    assert cut.bins.shape == (2,)
    assert [float(t.value) for t in cut.bins] == [20.0, 40.0]
    assert [t.width for t in cut.bins] == [4.0, 8.0]
    np.testing.assert_allclose(
        (cut.bins[-1] < PT).probability.content, sigmoid((np.array([50, 30, 20, 30]) - 40) / 8), rtol=1e-5
    )
    assert cut.bins[:1].shape == (1,)
    with pytest.raises(IndexError):
        cut.bins[2]


def test_an_element_for_each_object_or_event():
    cut = CUTS.cuts(Hard())
    central = rg.from_lists([[0, 1, 1], [], [0]])
    assert (cut.bins[central] < PT).probability.to_list() == [[1, 0, 0], [], [1]]
    assert (jnp.array([30.0, 30.0]) > cut.bins[jnp.array([0, 1])]).probability.tolist() == [1, 0]

    def passed(cuts):
        return rg.sum((cuts.cuts(Soft()).bins[central] < PT).probability)

    p = sigmoid(np.array([(50 - 20) / 4, (30 - 40) / 8, (20 - 40) / 8, (30 - 20) / 4]))
    slopes = -p * (1 - p) / np.array([4, 8, 8, 4])
    np.testing.assert_allclose(
        jax.grad(passed)(CUTS)["bins"], [slopes[0] + slopes[3], slopes[1] + slopes[2]], rtol=1e-5
    )


def test_an_array_is_not_compared_as_a_whole():
    cut = CUTS.cuts(Soft())
    for use in (lambda: cut.bins < PT, lambda: cut.bins >= 30.0, lambda: cut.bins + 1):
        with pytest.raises(TypeError, match=r"has the shape \(2,\): compare with one element \(cut.pt\[0\]\)"):
            use()


def test_weights_are_the_tree():
    np.testing.assert_array_equal(CUTS.cuts(Soft()).net["w"], np.ones(2))


def test_unknown_parameter_is_named():
    with pytest.raises(
        AttributeError, match=r"no parameter 'eta'; the parameters are \['pt', 'other', 'bins', 'net'\]"
    ):
        _ = CUTS.cuts(Hard()).eta
