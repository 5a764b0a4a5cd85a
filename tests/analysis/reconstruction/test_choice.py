"""The smooth choice: its definition, its limits, and its derivatives where two objects are equally good."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Objects
from hepgrad.analysis.reconstruction import smooth_choice

pytestmark = pytest.mark.usefixtures("quick_compilation")

FITS = [[(3.0, 150.0), (1.0, 170.0), (9.0, 80.0)], [], [(4.0, 100.0)]]
PROBABILITY = [[0.5, 0.8, 1.0], [], [0.25]]


def fits(probability=PROBABILITY, chi_square=None):
    array = rg.from_lists([[{"chi_square": x, "mass": m} for x, m in event] for event in FITS])
    if chi_square is not None:
        array = rg.with_field(array, array.mass.with_content(chi_square), "chi_square")
    if not isinstance(probability, rg.RaggedArray):
        probability = rg.from_lists(probability)
    return Objects(array, probability)


def test_is_the_mean_with_likelihoods_as_weights(x64):
    expected = []
    for event, probability in zip(FITS, PROBABILITY, strict=True):
        weights = [p * np.exp(-x / 2) for p, (x, _) in zip(probability, event, strict=True)]
        masses = [m for _, m in event]
        mean = np.dot(weights, masses) / sum(weights) if event else 0
        nothing = np.prod(1 - np.array(probability))
        expected.append((mean, (1 - nothing) * mean - 5 * nothing))
    conditional, filled = np.transpose(expected)
    options = {"by": "chi_square", "temperature": 2.0}
    np.testing.assert_allclose(smooth_choice(fits(), "mass", **options), conditional, rtol=1e-12)
    np.testing.assert_allclose(smooth_choice(fits(), "mass", fill_value=-5.0, **options), filled, rtol=1e-12)


def test_becomes_the_best_that_passes():
    """At a small temperature, in the hard reading, also where the exponentials themselves would vanish."""
    passed = [[1.0, 0.0, 1.0], [], [0.0]]
    for temperature in (0.1, 1e-3):
        masses = smooth_choice(fits(passed), "mass", by="chi_square", temperature=temperature, fill_value=0.0)
        assert masses.tolist() == [150.0, 0.0, 0.0]
    hard = fits(passed).ordered_by("chi_square", ascending=True).leading("mass", fill_value=0.0)
    assert masses.tolist() == hard.tolist()


def both(p, x, temperature):
    objects = fits(rg.from_lists(PROBABILITY).with_content(p), x)
    options = {"by": "chi_square", "temperature": temperature}
    return [smooth_choice(objects, "mass", fill_value=fill, **options) for fill in (None, 10.0)]


def test_derivatives_equal_central_differences(derivatives_agree):
    """Two of them are equally good."""
    derivatives_agree(both, [0.5, 0.8, 1.0, 0.25], [3.0, 3.0, 9.0, 4.0], 2.0)


def test_derivatives_are_finite_where_nothing_passes(finite_derivatives):
    """Nothing at all, and something with a chi-square so large that its likelihood is 0."""
    points = [[0, 0, 0, 0, 3, 3, 9, 4, 2], [0, 0, 1e-6, 1, 3, np.inf, 2000, 5000, 2]]
    finite_derivatives(lambda x: sum(jnp.sum(y) for y in both(x[:4], x[4:8], x[8])), points)
