"""The asymptotic formulae against scipy, and their derivatives where other forms underflow or diverge."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from hepgrad.analysis.statistics.inference.asymptotics import BANDS, expected_threshold, log_expected_cls, log_pvalues
from hepgrad.analysis.statistics.inference.roots import increasing_root, safe_sqrt

pytestmark = pytest.mark.usefixtures("x64", "quick_compilation")


@pytest.mark.parametrize("test_stat", ["q", "qtilde"])
def test_p_values_of_scipy(test_stat):
    q, q_asimov = np.array([0.0, 1.0, 4.0, 20.0]), 4.0
    shifted = np.sqrt(q) - 2 if test_stat == "q" else np.where(q > 4, (q - 4) / 4, np.sqrt(q) - 2)
    log_clsb, log_clb = log_pvalues(jnp.asarray(q), jnp.asarray(q_asimov), test_stat=test_stat)
    np.testing.assert_allclose(log_clsb, norm.logsf(shifted + 2), rtol=1e-12)
    np.testing.assert_allclose(log_clb, norm.logsf(shifted), rtol=1e-12)


def test_thresholds_invert_the_expected_values():
    for band, threshold in zip(BANDS, expected_threshold(0.05), strict=True):
        np.testing.assert_allclose(jnp.exp(log_expected_cls(threshold**2, [band])), 0.05, rtol=1e-12)


def test_far_tails_and_zero_have_finite_derivatives():
    gradient = jax.jit(jax.grad(lambda q, qa: jnp.subtract(*log_pvalues(q, qa)), argnums=(0, 1)))
    for q, q_asimov in [(0.0, 0.0), (0.0, 4.0), (1600.0, 1e-9), (1e4, 1600.0), (4.0, 4.0)]:
        assert np.isfinite(gradient(q, q_asimov)).all()
    assert np.isfinite(log_expected_cls(jnp.array(1e4))).all()
    # on both sides of the seam
    np.testing.assert_allclose(gradient(4.0 - 1e-9, 4.0), gradient(4.0 + 1e-9, 4.0), rtol=1e-6)


def test_square_root_at_zero():
    assert jax.grad(safe_sqrt)(0.0) == 0
    assert jax.grad(safe_sqrt)(4.0) == 0.25


@pytest.mark.parametrize("start", [1e-3, 1.0, 90.0])
def test_root_from_any_start(start):
    def function(x, _):
        return jnp.tanh(x - 3), 1 - jnp.tanh(x - 3) ** 2, None  # flat where Newton's method alone diverges

    root = increasing_root(function, jnp.array(start), None, upper=jnp.array(100.0))
    assert root.converged
    assert root.reached
    np.testing.assert_allclose(root.refined(root.value), 3, rtol=1e-9)


@pytest.mark.parametrize("slope", [0.0, 0.01])
def test_no_root_before_the_end(slope):
    root = increasing_root(
        lambda x, _: (slope * x - 1, jnp.full_like(x, slope), None), jnp.array(2.0), None, upper=jnp.array(50.0)
    )
    assert root.converged
    assert not root.reached
    assert root.refined(root.value) == 50
