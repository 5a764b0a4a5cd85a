"""What is hard for a minimiser: bounds with correlated partners, saddles, rounding, negative rates."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
from iminuit import Minuit

from hepgrad.analysis.statistics.fitting import fit
from hepgrad.analysis.statistics.fitting.newton import minimise
from hepgrad.analysis.statistics.histfactory import (
    FitChannel,
    FitSample,
    HistoSys,
    Model,
    NormFactor,
    NormSys,
    ParameterConfig,
    to_workspace,
)
from hepgrad.analysis.statistics.inference import pseudo_data
from hepgrad.analysis.statistics.objectives import Discovery

pytestmark = [pytest.mark.usefixtures("x64", "quick_compilation"), pytest.mark.thorough]

# events in a bin, and how much the shapes of signal and background differ; correlations from -0.9997 to -0.999997
CONFIGURATIONS = [(1e2, 0.03), (1e4, 0.03), (1e6, 0.03), (1e6, 0.003), (1e8, 0.03)]


def nearly_degenerate(events, difference):
    """Return a signal over a background of nearly the same shape and free normalisation."""
    background = events * np.array([1.0, 2.0, 0.5, 1.5])
    signal = 0.1 * background * (1 + difference * np.array([1.0, -1.0, 0.5, -0.2]))
    samples = [FitSample("s", signal, [NormFactor("mu")]), FitSample("b", background, [NormFactor("k")])]
    return Model([FitChannel("c", samples)], parameter_of_interest="mu")


@jax.jit
def both_fits(model, toys):
    """Return the free fit and that without signal of each pseudo-experiment."""
    index = model.index("mu")
    free = jnp.stack([~model.fixed, (~model.fixed).at[index].set(False)])
    start = jnp.stack([model.initial, model.initial.at[index].set(0.0)])

    def one(data):
        fits = jax.vmap(lambda x, f: minimise(model, data, x, f, model.bounds, max_steps=100, empty_bins=False))(
            start, free
        )
        return fits._replace(hessian=None, held=None)

    return jax.lax.map(one, toys, batch_size=100)


def minuit(theirs, data, *, without_signal):
    """Return the lowest negative log-likelihood that minuit finds for pyhf's model, and whether it is satisfied."""
    minimiser = Minuit(lambda x: -theirs.logpdf(x, data)[0], theirs.config.suggested_init())
    minimiser.errordef = Minuit.LIKELIHOOD
    minimiser.limits = theirs.config.suggested_bounds()
    if without_signal:
        minimiser.values[theirs.config.poi_index], minimiser.fixed[theirs.config.poi_index] = 0.0, True
    minimiser.tol = 1e-4
    for _ in range(2):
        minimiser.migrad()
    return minimiser.fval, minimiser.valid


def compare(model, toys, number):
    """Check that no fit fails, and the test statistics of the first toys against minuit's."""
    fits = both_fits(model, toys)
    assert fits.converged.all()
    workspace = to_workspace(model, model.expected_data(model.initial))
    theirs = pyhf.Model({"channels": workspace["channels"]}, poi_name="mu", validate=False)
    saturated = jax.vmap(lambda x, data: -model.logpdf(x, data) - 0.5 * model.deviance(x, data))(
        fits.parameters[:, 0], toys
    )
    compared = 0
    for data, values, offset in zip(
        np.asarray(toys[:number]), np.asarray(fits.value), np.asarray(saturated), strict=False
    ):
        free, conditional = (minuit(theirs, data, without_signal=which) for which in (False, True))
        # never above minuit's minimum, but for the rounding of its logarithms of probabilities
        rounding = 1e-6 + 1e-13 * abs(float(offset))
        assert values[0] + offset <= free[0] + rounding
        assert values[1] + offset <= conditional[0] + rounding
        if free[1] and conditional[1]:
            assert 2 * (values[1] - values[0]) == pytest.approx(2 * (conditional[0] - free[0]), abs=1e-4 + 2 * rounding)
            compared += 1
    assert compared >= 0.5 * number


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_no_fit_fails_at_a_bound(configuration):
    model = nearly_degenerate(*configuration)
    compare(model, pseudo_data(model, model.vector({"mu": 0.0}), jax.random.key(1), 200), 10)


@pytest.mark.slow
@pytest.mark.parametrize("key", range(4))
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_no_fit_of_many_fails_at_a_bound(configuration, key):
    model = nearly_degenerate(*configuration)
    compare(model, pseudo_data(model, model.vector({"mu": 0.0}), jax.random.key(key), 1000), 1000)


def test_derivatives_at_a_bound_with_a_correlated_partner():
    def fitted(events):
        model = nearly_degenerate(1e4, 0.03)
        result = fit(model, model.data({"c": events}))
        return jnp.append(result.parameters, result.uncertainties)

    few_signal = 1e4 * jnp.array([0.99, 2.02, 0.49, 1.5])
    assert fitted(few_signal)[1] == 0  # k, mu
    gradient = jax.jacobian(fitted)(few_signal)
    numeric = [(fitted(few_signal + step) - fitted(few_signal - step)) / 0.2 for step in 0.1 * np.eye(4)]
    np.testing.assert_allclose(gradient, np.transpose(numeric), rtol=1e-5, atol=1e-10)


def test_a_saddle_is_left_for_the_minimum():
    """A variation whose up equals its down bends the likelihood downward at 0 when more is observed than expected."""
    background = np.array([50.0, 30.0, 12.0])
    varied = background * (1 + np.array([0.05, 0.1, 0.2]))

    def model_of(signal):
        samples = [
            FitSample("s", signal, [NormFactor("mu")]),
            FitSample("b", background, [HistoSys("j", hi=varied, lo=varied)]),
        ]
        return Model([FitChannel("c", samples)], parameter_of_interest="mu")

    signal = jnp.array([1.0, 3.0, 6.0])
    model = model_of(signal)
    asimov = model.expected_data(model.initial)
    scan = [model.deviance(model.vector({"mu": 0.0, "j": alpha}), asimov) for alpha in np.linspace(0, 2, 201)]
    value, converged = Discovery().evaluate(model)
    assert converged
    assert value == pytest.approx(np.sqrt(min(scan)), rel=1e-4)
    assert value < 0.9 * np.sqrt(scan[0])
    gradient = jax.grad(lambda signal: Discovery()(model_of(signal)))(signal)
    steps = 1e-4 * np.eye(3)
    numeric = [(Discovery()(model_of(signal + s)) - Discovery()(model_of(signal - s))) / 2e-4 for s in steps]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5)


def test_rates_stay_positive():
    """The whole step from mu = 1 would make a bin negative; the minimum is where it is nearly empty."""
    bounds = ParameterConfig("mu", bounds=(-10.0, 10.0))
    samples = [
        FitSample("s", [9.0, 2.0], [NormFactor("mu")]),
        FitSample("b", [10.0, 50.0], [NormSys("n", hi=1.3, lo=0.7)]),
    ]
    model = Model([FitChannel("c", samples)], parameter_of_interest="mu", parameters=[bounds])
    for observed in ([1.0, 20.0], [1.0, 50.0], [3.0, 1.0]):
        data = model.data({"c": observed})
        result = fit(model, data)
        assert result.converged
        expected = pyhf_minimum(model, data)
        assert result.nll == pytest.approx(expected, abs=1e-6)
        assert (model.expected_actualdata(result.parameters) > 0).all()


def pyhf_minimum(model, data):
    """Return the lowest negative log-likelihood on a fine grid of both parameters, refined by minuit."""
    workspace = to_workspace(model, data)
    config = workspace["measurements"][0]["config"]
    theirs = pyhf.Model({"channels": workspace["channels"], "parameters": config["parameters"]}, validate=False)

    def negative(x):
        rates = theirs.expected_actualdata(x)
        return -theirs.logpdf(x, np.asarray(data))[0] if (rates > 0).all() else 1e10

    values = {"mu": np.linspace(-6, 1, 71), "n": np.linspace(-4, 2, 61)}
    grid = np.stack(np.meshgrid(*(values[name] for name in theirs.config.par_names)), axis=-1).reshape(-1, 2)
    minimiser = Minuit(negative, min(grid, key=negative))
    minimiser.errordef, minimiser.tol = Minuit.LIKELIHOOD, 1e-6
    minimiser.migrad()
    return minimiser.fval


@pytest.mark.usefixtures("quick_compilation")
def test_rates_that_fall_to_zero():
    """Nothing is observed where the signal, times a negative strength, removes what is expected: the end of the way."""
    bounds = ParameterConfig("mu", bounds=(-10.0, 10.0))

    def model_of(signal, background):
        norm = NormSys("n", hi=1.3, lo=0.7)
        samples = [FitSample("s", signal, [NormFactor("mu")]), FitSample("b", background, [norm])]
        return Model([FitChannel("c", samples)], parameter_of_interest="mu", parameters=[bounds])

    def fitted(signal, background, auxiliary):
        model = model_of(signal, background)
        result = fit(model, jnp.concatenate([jnp.array([0.0, 20.0]), auxiliary]))
        return jnp.append(result.parameters, result.deviance)

    arguments = jnp.array([9.0, 2.0]), jnp.array([10.0, 50.0]), jnp.array([0.3])
    model = model_of(*arguments[:2])
    toys = pseudo_data(model, model.vector({"mu": -0.9}), jax.random.key(1), 100)

    @functools.partial(jax.jit, static_argnums=1)
    def fits_of(toys, empty_bins):
        one = functools.partial(minimise, bounds=model.bounds, max_steps=100, empty_bins=empty_bins)
        return jax.vmap(lambda data: one(model, data, model.initial, ~model.fixed))(toys)

    fits = fits_of(toys, True)
    # without what bins without events need, fits do not end there, and say so
    blind = fits_of(toys, False)
    pressed = (fits.held.forces > 0).any(axis=1)
    assert not (pressed & blind.converged).any() and blind.converged[~pressed].all()
    np.testing.assert_allclose(fits.value[~pressed], blind.value[~pressed], rtol=1e-9, atol=1e-9)
    assert fits.converged.all() and pressed.sum() > 10
    assert jax.vmap(model.expected_actualdata)(fits.parameters).min() > 0

    result = fit(model, model.data({"c": [0.0, 20.0]}))
    rate = model.expected_actualdata(result.parameters)
    assert 0 < rate[0] < 1e-12
    assert all(result.uncertainties > 0.05)

    # what is left is a fit along the line where this bin is empty
    def at_the_end(n):
        strength = -model.expected_actualdata(model.vector({"mu": 0.0, "n": n}))[0] / 9.0
        return model.deviance(model.vector({"mu": strength * (1 - 1e-14), "n": n}), model.data({"c": [0.0, 20.0]}))

    scan = jax.lax.map(at_the_end, jnp.linspace(-2.0, -1.5, 10_001))
    assert float(result.deviance) == pytest.approx(float(scan.min()), abs=1e-7)

    for jacobian in (jax.jacfwd, jax.jacrev):
        for derivative, number in zip(jacobian(fitted, argnums=(0, 1, 2))(*arguments), range(3), strict=True):
            for i in range(arguments[number].size):
                up, down = (
                    fitted(*(a.at[i].add(step) if k == number else a for k, a in enumerate(arguments)))
                    for step in (1e-3, -1e-3)
                )
                np.testing.assert_allclose(derivative[:, i], (up - down) / 2e-3, rtol=2e-5, atol=2e-5)


def test_many_bounds_at_once():
    """Many correlated components end at their bounds; the result is a minimum inside the box."""
    rng = np.random.default_rng(3)
    shapes = rng.uniform(0.5, 1.5, (6, 8))
    samples = [FitSample(f"s{i}", 50 * shape, [NormFactor(f"k{i}")]) for i, shape in enumerate(shapes)]
    model = Model([FitChannel("c", samples)])
    toys = rng.poisson(120, (50, 8)).astype(float)
    one = jax.jit(
        jax.vmap(
            lambda data: minimise(
                model, data, model.initial, ~model.fixed, model.bounds, max_steps=100, empty_bins=False
            )
        )
    )
    fits = one(toys)
    assert fits.converged.all()
    assert ((fits.side != 0).sum(axis=1) > 1).sum() > 10
    np.testing.assert_array_equal(fits.parameters == 0, fits.side == -1)
    # the conditions of Karush, Kuhn and Tucker: no slope inside, slopes outward at bounds
    scale = jnp.sqrt(jax.vmap(lambda hessian: hessian.diagonal)(fits.hessian))
    np.testing.assert_allclose(jnp.where(fits.inner, fits.gradient / scale, 0), 0, atol=1e-6)
    assert (fits.gradient[fits.side == -1] > 0).all()
