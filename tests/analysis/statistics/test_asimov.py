"""Discovery significance against pyhf, closed forms, brute force and central differences."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
from scipy.optimize import minimize

from hepgrad.analysis.statistics import asimov_z, background_only_fit, discovery_significance

pytestmark = pytest.mark.usefixtures("quick_compilation")


def sample(seed, bins=5):
    rng = np.random.default_rng(seed)
    background = 10 ** rng.uniform(0, 3, bins)
    return {
        "signal": rng.uniform(0, 1.5, bins) * np.sqrt(background),
        "background": background,
        "background_uncertainty": rng.choice([0.02, 0.1, 0.3]),
        "background_variance": (rng.uniform(0.02, 0.4, bins) * background) ** 2,
    }


def pyhf_q0(signal, background, background_uncertainty, background_variance):
    """Twice the difference of pyhf's negative log-likelihoods at mu = 0 (minimised) and mu = 1 (at its minimum)."""
    modifiers = []
    if background_uncertainty > 0:
        hi = 1 + background_uncertainty
        modifiers.append({"name": "norm", "type": "normsys", "data": {"hi": hi, "lo": 1 / hi}})
    if background_variance is not None:
        modifiers.append({"name": "mc", "type": "staterror", "data": np.sqrt(background_variance).tolist()})
    mu = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": signal.tolist(), "modifiers": [mu]},
        {"name": "background", "data": background.tolist(), "modifiers": modifiers},
    ]
    model = pyhf.Model(
        {"channels": [{"name": "bins", "samples": samples}]},
        modifier_settings={"normsys": {"interpcode": "code1"}},
        poi_name="mu",
        validate=False,  # which calls a deprecated function of jsonschema
    )
    start = np.array(model.config.suggested_init())
    poi = model.config.poi_index
    start[poi] = 1
    data = model.expected_data(start)

    def twice_nll(nuisances):
        return float(-2 * model.logpdf(np.insert(nuisances, poi, 0.0), data)[0])

    free = float(-2 * model.logpdf(start, data)[0])
    nuisances = np.delete(start, poi)
    if nuisances.size == 0:
        return twice_nll(nuisances) - free
    bounds = np.delete(np.array(model.config.suggested_bounds(), dtype=float), poi, axis=0)
    fit = minimize(twice_nll, nuisances, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9})
    return fit.fun - free


@pytest.mark.thorough
@pytest.mark.parametrize("sources", ["none", "normalisation", "simulation", "both"])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_pyhf(x64, seed, sources):
    arguments = sample(seed)
    if sources in ("none", "simulation"):
        arguments["background_uncertainty"] = 0.0
    if sources in ("none", "normalisation"):
        arguments["background_variance"] = None
    z = discovery_significance(**arguments)
    assert abs(z - np.sqrt(pyhf_q0(**arguments))) < 1e-5
    assert background_only_fit(**arguments).converged


@pytest.mark.thorough
def test_one_cut_with_a_closed_form(x64):
    """The golden example: 8000 x N(40, 10) and 300 x N(50, 5), x > c."""
    c = 44.87485
    tail = jax.scipy.stats.norm.sf
    s, b = 300 * tail(c, 50, 5), 8000 * tail(c, 40, 10)
    assert abs(asimov_z(s, b) - 4.997715) < 1e-6
    assert abs(discovery_significance(s[None], b[None]) - 4.997715) < 1e-6

    slope = jax.jit(jax.grad(lambda c: asimov_z(300 * tail(c, 50, 5), 8000 * tail(c, 40, 10))))

    assert slope(c - 1e-5) > 0 > slope(c + 1e-5)


def test_bins_add_in_quadrature_without_common_uncertainty(x64):
    arguments = sample(0)
    s, b = arguments["signal"], arguments["background"]
    assert np.isclose(discovery_significance(s, b), np.sqrt(np.sum(asimov_z(s, b) ** 2)), rtol=1e-13)


@pytest.mark.parametrize("sigma", [0.0, 1e-9, 1.0, 30.0])
def test_closed_form_with_background_uncertainty(x64, sigma):
    """Cowan's formula as it is written."""
    s, b, v = 12.0, 40.0, max(sigma, 1e-3) ** 2
    first = (s + b) * np.log((s + b) * (b + v) / (b**2 + (s + b) * v))
    second = b**2 / v * np.log1p(v * s / (b * (b + v)))
    assert np.isclose(asimov_z(s, b, sigma), np.sqrt(2 * (first - second)), rtol=1e-7)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_signals_give_the_gaussian_limit(x64, dtype):
    s, b, sigma = dtype(1e-4), dtype(1e4), dtype(50)
    eps = 10 * np.finfo(dtype).eps
    assert np.isclose(asimov_z(s, b), s / np.sqrt(b), rtol=eps + 1e-8, atol=0)
    assert np.isclose(asimov_z(s, b, sigma), s / np.sqrt(b + sigma**2), rtol=eps + 1e-7, atol=0)
    assert np.isclose(jax.grad(asimov_z)(dtype(0), b, sigma), 1 / np.sqrt(b + sigma**2), rtol=eps)
    with_variance = discovery_significance(s[None], b[None], background_variance=sigma[None] ** 2)
    assert np.isclose(with_variance, s / np.sqrt(b + sigma**2), rtol=eps + 1e-7, atol=0)


def wild(seed):
    """Yields over many orders of magnitude, with relative uncertainties from nothing to far above one."""
    rng = np.random.default_rng(seed)
    bins = rng.integers(1, 9)
    background = 10 ** rng.uniform(-4, 6, bins)
    return {
        "signal": 10 ** rng.uniform(-4, 4, bins) * (rng.uniform(size=bins) < 0.7),
        "background": background,
        "background_uncertainty": rng.choice([0, 1e-3, 0.1, 1.0]),
        "background_variance": (10 ** rng.uniform(-4, 1, bins) * background) ** 2 * (rng.uniform(size=bins) < 0.8),
    }


@pytest.fixture(scope="module")
def fits():
    """One compiled fit for inputs of up to eight bins: empty bins do nothing."""
    jitted = jax.jit(background_only_fit)

    def fit(arguments, dtype):
        padding = 8 - arguments["signal"].size
        padded = {k: np.pad(v, (0, padding)) if np.ndim(v) else v for k, v in arguments.items()}
        return jitted(**{k: np.asarray(v, dtype) for k, v in padded.items()})

    return fit


@pytest.mark.thorough
def test_fit_is_the_minimum_for_wild_inputs(x64, fits):
    for seed in range(150):
        a = wild(seed)
        fit = fits(a, np.float64)
        assert fit.converged, a
        b = np.maximum(a["background"], 1e-3)
        n, v = a["signal"] + b, a["background_variance"]

        def q(alpha, n=n, b=b, v=v, u=a["background_uncertainty"]):
            kappa = (1 + u) ** alpha
            y = ((b - kappa * v) + np.sqrt((b - kappa * v) ** 2 + 4 * n * v)) / 2
            y = np.where(v > 0, np.maximum(y, 1e-300), b)
            pull = np.divide((y - b) ** 2, v, out=np.zeros_like(b), where=v > 0)
            return np.sum(2 * (n * np.log(n / (kappa * y)) - (n - kappa * y)) + pull) + alpha**2

        alpha = float(fit.alpha)
        everywhere = np.concatenate([np.linspace(-1, 2 * alpha + 1, 60), alpha + np.linspace(-0.01, 0.01, 9)])
        assert fit.q0 < min(map(q, everywhere)) * (1 + 1e-9) + 1e-6, a


def test_single_precision_is_enough(x64, fits):
    for seed in range(150):
        single, double = fits(wild(seed), np.float32), fits(wild(seed), np.float64)
        assert single.q0.dtype == np.float32
        assert single.converged, wild(seed)
        z = np.sqrt(double.q0)
        assert abs(np.sqrt(single.q0) - z) < 1e-4 * max(1, z), wild(seed)


def central(f, x, i, rel=1e-5):
    step = rel * x[i] * (np.arange(x.size) == i)
    return jax.tree.map(lambda up, down: (up - down) / (2 * step[i]), f(x + step), f(x - step))


@pytest.mark.thorough
def test_gradient_and_hessian(x64):
    a = sample(0, bins=2)
    point = np.concatenate([a["signal"], a["background"], a["background_variance"], [a["background_uncertainty"]]])

    def z(x):
        return discovery_significance(x[:2], x[2:4], background_variance=x[4:6], background_uncertainty=x[6])

    value_and_gradient, hessian = jax.jit(jax.value_and_grad(z)), jax.jit(jax.hessian(z))(point)
    gradient = value_and_gradient(point)[1]
    for i in range(point.size):
        slope, curvature = central(value_and_gradient, point, i)
        np.testing.assert_allclose(gradient[i], slope, rtol=1e-6, atol=1e-10)
        np.testing.assert_allclose(hessian[i], curvature, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(jax.jvp(z, (point,), (point,))[1], gradient @ point, rtol=1e-10)


@jax.jit
@functools.partial(jax.value_and_grad, argnums=(0, 1, 2, 3))
def value_and_gradients(signal, background, variance, uncertainty):
    return discovery_significance(signal, background, background_variance=variance, background_uncertainty=uncertainty)


def all_finite(tree):
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("signal", "background", "variance"),
    [
        ([0, 0], [0, 0], [0, 0]),
        ([0, 0], [5, 1], [1, 0]),
        ([1, 2], [0, 3], [0, 1]),
        ([1, 2], [0, 3], [2, 1]),
        ([0, 2], [0, 3], [2, 0]),
        ([-1, 2], [3, 1], [1, 1]),
        ([-9, 2], [3, -1], [3, 1]),
        ([1e-30, 1e-12], [1e-30, 1e-12], [1e-30, 1e-20]),
        ([1e6, 1], [1e-9, 1e7], [1e-18, 1e9]),
    ],
)
@pytest.mark.parametrize("uncertainty", [0.0, 0.2])
def test_corners_are_finite(signal, background, variance, uncertainty):
    inputs = (jnp.asarray(x, jnp.float32) for x in (signal, background, variance, uncertainty))
    value, gradients = value_and_gradients(*inputs)
    assert all_finite((value, gradients))
    if not any(signal):
        assert value == 0
        assert not any(gradient.any() for gradient in gradients)
    else:
        assert value >= 0


def test_empty_channel_is_an_error_outside_jit():
    with pytest.raises(ValueError, match="all signal and background yields are zero"):
        discovery_significance(jnp.zeros(3), jnp.zeros(3))


def test_nan_is_not_hidden():
    assert jnp.isnan(discovery_significance(jnp.array([jnp.nan, 1]), jnp.ones(2)))


def test_background_below_the_floor_counts_as_the_floor(x64):
    at_floor = discovery_significance(np.array([1.0]), np.array([1e-3]))
    assert discovery_significance(np.array([1.0]), np.array([0.0])) == at_floor
    assert np.isclose(at_floor, np.sqrt(2 * (1.001 * np.log(1001) - 1)), rtol=1e-12)
    lower = discovery_significance(np.array([1.0]), np.array([0.0]), background_floor=1e-6)
    assert lower > at_floor
    assert np.isclose(asimov_z(1.0, 0.0), at_floor, rtol=1e-12)


def test_bins_without_signal_constrain_the_background(x64):
    s, b = np.array([20.0, 0.0]), np.array([100.0, 10_000.0])
    alone = discovery_significance(s[:1], b[:1], background_uncertainty=0.2)
    with_sideband = discovery_significance(s, b, background_uncertainty=0.2)
    assert alone < with_sideband < discovery_significance(s, b)


def test_vmap_is_a_loop(x64):
    points = [sample(seed) for seed in range(4)]
    stacked = {key: np.stack([point[key] for point in points]) for key in points[0]}
    batched = jax.jit(jax.vmap(lambda arguments: discovery_significance(**arguments)))(stacked)
    np.testing.assert_allclose(batched, [discovery_significance(**point) for point in points], rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"background": jnp.ones(3)}, "one shape"),
        ({"background_variance": jnp.ones(3)}, "background_variance must have the shape"),
        ({"background_variance": -jnp.ones(2)}, "background_variance must not be negative"),
        ({"background_uncertainty": -0.1}, "background_uncertainty must not be negative"),
        ({"background_uncertainty": jnp.ones(2)}, "common to all bins"),
        ({"background_floor": 0.0}, "background_floor must be positive"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        discovery_significance(**({"signal": jnp.ones(2), "background": jnp.ones(2)} | arguments))
