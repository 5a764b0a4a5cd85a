"""Templates: mirrored, symmetric, smooth and pruned."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis.systematics import Normalisation, Pruning, Smoothing, Symmetrisation, mirrored

pytestmark = pytest.mark.usefixtures("quick_compilation")

NOMINAL, DOWN, UP = jnp.array([10.0, 20.0, 0.0]), jnp.array([9.0, 22.0, 0.0]), jnp.array([13.0, 19.0, 0.0])


def test_mirrored():
    np.testing.assert_array_equal(mirrored(NOMINAL, jnp.array([13.0, 45.0, 0.0])), [7, 0, 0])


def test_symmetrise():
    down, up = Symmetrisation()(NOMINAL, DOWN, UP)
    np.testing.assert_array_equal(down, [8, 21.5, 0])
    np.testing.assert_array_equal(up, [12, 18.5, 0])


def test_smooth_keeps_the_total_and_a_common_factor():
    down, up = Smoothing(1.0)(NOMINAL, DOWN, UP)
    np.testing.assert_allclose([down.sum(), up.sum()], [DOWN.sum(), UP.sum()], rtol=1e-6)
    np.testing.assert_allclose(Smoothing(2.0)(NOMINAL, 0.9 * NOMINAL, 1.1 * NOMINAL)[1], 1.1 * NOMINAL, rtol=1e-6)
    # neighbours come closer to each other
    assert abs(up[0] / 10 - up[1] / 20) < abs(UP[0] / 10 - UP[1] / 20)


def test_smooth_beats_fluctuations():
    rng = np.random.default_rng(1)
    nominal = jnp.full(40, 100.0)
    truth = np.linspace(0.9, 1.1, 40)
    noisy = jnp.asarray(truth * 100 + rng.normal(0, 5, 40))
    smooth = Smoothing(3.0)(nominal, nominal, noisy)[1]
    assert np.std(smooth / 100 - truth) < 0.5 * np.std(noisy / 100 - truth)


def test_prune():
    for threshold, kept in ((0.05, True), (0.31, False)):
        down, up = Pruning(threshold)(NOMINAL, DOWN, UP)
        np.testing.assert_array_equal(down, DOWN if kept else NOMINAL)
        np.testing.assert_array_equal(up, UP if kept else NOMINAL)


@pytest.mark.parametrize("bad", [Smoothing, Pruning])
def test_ranges_and_thresholds_are_positive(bad):
    with pytest.raises(ValueError, match="must be positive, got 0"):
        bad(0)


def test_normalisations():
    assert Normalisation("lumi", (-0.03, 0.02)).factors == (0.97, 1.02)
    with pytest.raises(ValueError, match="lumi: one standard deviation leaves no events, got 1"):
        Normalisation("lumi", 1.0)
