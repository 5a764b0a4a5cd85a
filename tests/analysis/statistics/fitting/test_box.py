"""The lowest point of a parabola in a box, by the conditions that it fulfils."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis.statistics.fitting.box import box_step
from hepgrad.analysis.statistics.fitting.linear import Arrow
from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor

pytestmark = pytest.mark.usefixtures("x64", "quick_compilation")

SIZE, NUMBER = 6, 2000


@pytest.fixture(scope="module")
def layout():
    samples = [FitSample(f"s{i}", [1.0], [NormFactor(f"k{i}")]) for i in range(SIZE)]
    return Model([FitChannel("c", samples)]).layout


@pytest.mark.parametrize("difference", [1.0, 1e-2, 1e-3])
def test_the_conditions_of_a_minimum_hold_however_strong_the_correlations(layout, difference):
    """Six shapes that are nearly the same: guesses of all bounds at once go round in circles for some of them."""
    rng = np.random.default_rng(1)
    shapes = 1 + difference * rng.normal(size=(NUMBER, 12, SIZE))
    matrices = np.einsum("nbi,nbj->nij", shapes, shapes)
    gradients = np.einsum("nbi,nb->ni", shapes, rng.normal(size=(NUMBER, 12)))
    # some start at a bound
    lower, upper = -rng.choice([0, 0.3, 3], (NUMBER, SIZE)), rng.choice([0, 0.3, 3], (NUMBER, SIZE))
    free = jnp.arange(SIZE) != 5

    @jax.jit
    @jax.vmap
    def steps(matrix, gradient, lower, upper):
        return box_step(Arrow.of(layout, matrix), gradient, free, lower, upper)

    step, side, gain = (np.asarray(x) for x in steps(matrices, gradients, lower, upper))
    assert np.isfinite(gain).all()
    slope = gradients + np.einsum("nij,nj->ni", matrices, step)
    rounding = 1e-9 * np.abs(matrices).sum(axis=2)
    assert (step >= lower - 1e-9).all()
    assert (step <= upper + 1e-9).all()
    np.testing.assert_array_equal(step[:, 5], 0)
    # inside there is no slope, and at a bound it presses outward
    inner = (side == 0) & np.asarray(free)
    assert (np.abs(slope) <= rounding)[inner].all()
    assert (side * slope <= rounding)[~inner & np.asarray(free)].all()
    np.testing.assert_allclose(step[side < 0], lower[side < 0])
    np.testing.assert_allclose(step[side > 0], upper[side > 0])
