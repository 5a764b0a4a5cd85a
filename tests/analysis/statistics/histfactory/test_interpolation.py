"""Interpolation codes against pyhf's slow reference implementations, and their smoothness."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest

from hepgrad.analysis.statistics.histfactory.interpolation import ADDITIVE, MULTIPLICATIVE

LO, NOMINAL, HI = (
    np.array(values) for values in ([9.0, 0.5, 0.0, 12.0], [10.0, 1.0, 2.0, 11.0], [12.0, 0.7, 5.0, 13.0])
)
ALPHAS = np.array([-3.0, -1.0, -0.99, -0.3, 0.0, 0.4, 1.0, 1.01, 2.5])


def reference(code, lo, nominal, hi, alphas=ALPHAS):
    histograms = np.stack([lo, nominal, hi])[None, None]
    interpolator = pyhf.interpolators.get(code, do_tensorized_calc=False)(histograms.tolist(), subscribe=False)
    return np.asarray(interpolator([alphas.tolist()]))[0, 0]  # alphas, bins


def additive(code, alphas):
    up, down = ADDITIVE[code](jnp.asarray(alphas))
    return up[..., None] * (HI - NOMINAL) + down[..., None] * (NOMINAL - LO)


@pytest.mark.parametrize("code, name", [(0, "code0"), ("4p", "code4p")])
def test_additive_codes_equal_pyhf(x64, code, name):
    np.testing.assert_allclose(additive(name, ALPHAS), reference(code, LO, NOMINAL, HI), rtol=1e-13, atol=1e-13)


def test_code2_equals_pyhf_inside_and_continues_it_by_tangents(x64):
    inside = ALPHAS[np.abs(ALPHAS) <= 1]
    np.testing.assert_allclose(additive("code2", inside), reference(2, LO, NOMINAL, HI, inside), rtol=1e-13, atol=1e-13)
    curve, slope = jax.jvp(lambda x: additive("code2", x), (jnp.array([-3.0, -1.0, 1.0, 3.0]),), (jnp.ones(4),))
    np.testing.assert_allclose(curve[0], curve[1] - 2 * slope[1], rtol=1e-13)
    np.testing.assert_allclose(curve[3], curve[2] + 2 * slope[2], rtol=1e-13)


@pytest.mark.parametrize("code, name", [(1, "code1"), (4, "code4")])
def test_multiplicative_codes_equal_pyhf(x64, code, name):
    lo, hi = np.array([0.9, 1.2, 0.3]), np.array([1.1, 1.5, 4.0])
    factors = MULTIPLICATIVE[name](jnp.asarray(ALPHAS)[:, None], jnp.asarray(hi), jnp.asarray(lo))
    np.testing.assert_allclose(factors, reference(code, lo, np.ones(3), hi), rtol=1e-13)


@pytest.mark.parametrize("name", ["code1", "code4"])
def test_factor_zero_is_the_limit_of_small_factors(x64, name):
    alphas = jnp.asarray(ALPHAS)
    limit = MULTIPLICATIVE[name](alphas, jnp.array(1.1), jnp.array(1e-200))
    np.testing.assert_allclose(MULTIPLICATIVE[name](alphas, jnp.array(1.1), jnp.array(0.0)), limit, atol=1e-13)


@pytest.mark.parametrize("name", ["code1", "code4"])
def test_derivatives_are_finite_everywhere(x64, name):
    @jax.jit
    @functools.partial(jax.vmap, in_axes=(0, None))
    def first_and_second(alpha, lo):
        first = jax.grad(MULTIPLICATIVE[name], argnums=(0, 2))
        return first(alpha, 1.1, lo), jax.jacfwd(first, argnums=(0, 2))(alpha, 1.1, lo)

    for lo in (0.0, 0.9):
        assert all(np.isfinite(value).all() for value in jax.tree.leaves(first_and_second(jnp.asarray(ALPHAS), lo)))


@pytest.mark.parametrize("name", ["code4", "code4p"])
def test_smooth_codes_have_two_continuous_derivatives(x64, name):
    def curve(alpha):
        if name in ADDITIVE:
            return ADDITIVE[name](alpha)[0]
        return MULTIPLICATIVE[name](alpha, jnp.array(1.3), jnp.array(0.8))

    slope = jax.grad(curve)
    all_three = jax.jit(jax.vmap(lambda alpha: (curve(alpha), slope(alpha), jax.grad(slope)(alpha))))
    joints, step = jnp.array([-1.0, 0.0, 1.0]), 1e-9
    for below, above in zip(all_three(joints - step), all_three(joints + step), strict=True):
        np.testing.assert_allclose(below, above, atol=1e-6)


def test_a_fit_can_leave_the_kink():
    """At the kink the slope is one-sided: 0 would look like a minimum to a fit that starts there."""
    assert jax.grad(MULTIPLICATIVE["code1"])(0.0, 1.1, 0.9) == pytest.approx(-np.log(0.9))
