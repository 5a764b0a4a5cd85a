"""Smoothing beside cabinetry's 353QH and NumPy's fits of lines, its derivative, and what it keeps."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cabinetry.smooth import smooth_353qh_twice

from hepgrad.analysis.systematics import LocalRegression, RunningMedians

pytestmark = pytest.mark.usefixtures("x64")

RNG = np.random.default_rng(5)


def kept(smoothed, varied):
    return smoothed * varied.sum() / smoothed.sum()


@pytest.mark.thorough
@pytest.mark.parametrize("bins", [5, 8, 21])
def test_running_medians_are_roots(bins):
    for _ in range(20):
        # powers of two and multiples of 1/8, so that bins that are equal stay it, and parabolas are needed
        nominal = 2.0 ** RNG.integers(2, 6, bins)
        effect = [np.round(8 + RNG.normal(0, 1, bins).cumsum()).clip(1) / 8 for _ in range(2)]
        found = RunningMedians()(*map(jnp.asarray, (nominal, nominal * effect[0], nominal * effect[1])))
        for each, ours in zip(effect, found, strict=True):
            np.testing.assert_allclose(ours, kept(nominal * smooth_353qh_twice(each), nominal * each), rtol=1e-10)


@pytest.mark.thorough
def test_few_bins_and_empty_ones_stay_finite():
    few = jnp.array([1.0, 3.0, 2.0])
    np.testing.assert_array_equal(RunningMedians()(few, few * 1.1, few)[0], few * 1.1)
    nominal = jnp.array([0.0, 0, 3, 4, 5, 0])
    for treatment in (RunningMedians(), LocalRegression(3)):
        for each in treatment(nominal, 0.9 * nominal, 1.1 * nominal):
            assert jnp.all(jnp.isfinite(each)) and jnp.all(each[nominal == 0] == 0)
        slope = jax.grad(lambda up, t=treatment: jnp.sum(t(nominal, nominal, up)[1] ** 2))(1.1 * nominal)
        assert jnp.all(jnp.isfinite(slope))


@pytest.mark.parametrize("bins", [3, 5, 40])
def test_lines_are_numpys(bins):
    nominal = RNG.uniform(5, 50, 12)
    effect = 1 + RNG.normal(0, 0.1, 12)
    x, expected = np.arange(12.0), np.empty(12)
    for i in range(12):
        distance = abs(x - i)
        reach = np.sort(distance)[min(bins, 12) - 1] + 1
        kernel = nominal * np.maximum(1 - (distance / reach) ** 3, 0) ** 3
        expected[i] = np.polyval(np.polyfit(x, effect, 1, w=np.sqrt(kernel)), i)
    found = LocalRegression(bins)(*map(jnp.asarray, (nominal, nominal * effect, nominal)))
    np.testing.assert_allclose(found[0], kept(nominal * expected, nominal * effect), rtol=1e-9)
    np.testing.assert_allclose(found[1], nominal, rtol=1e-9)


@pytest.mark.thorough
@pytest.mark.parametrize("treatment", [RunningMedians(2), LocalRegression()])
def test_derivatives(treatment):
    nominal, up = RNG.uniform(5, 50, (2, 9))

    def first(up):
        return jnp.sum(jnp.sin(treatment(jnp.asarray(nominal), jnp.asarray(nominal), up)[1]))

    numeric = [(first(up + d) - first(up - d)) / 2e-6 for d in 1e-6 * np.eye(9)]
    np.testing.assert_allclose(jax.grad(first)(jnp.asarray(up)), numeric, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(jax.jvp(first, (jnp.asarray(up),), (jnp.ones(9),))[1], sum(numeric), rtol=1e-4)


def test_what_is_refused():
    with pytest.raises(ValueError, match="at least once"):
        RunningMedians(0)
    with pytest.raises(ValueError, match="at least 3 bins"):
        LocalRegression(2)
