"""Fits against minuit on pyhf's likelihood, closed forms and central differences."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
from iminuit import Minuit
from jax.flatten_util import ravel_pytree

from hepgrad.analysis.statistics.fitting import FitError, fit
from hepgrad.analysis.statistics.histfactory import (
    FitChannel,
    FitSample,
    HistoSys,
    Model,
    NormFactor,
    StatError,
    from_workspace,
    to_workspace,
)

pytestmark = pytest.mark.usefixtures("quick_compilation")

AGC = "agc/workspace_1_file_per_process.json"


def model_of(signal, background):
    """Shape and statistical uncertainties in four bins."""
    shape = HistoSys("shape", hi=background * jnp.linspace(0.9, 1.15, 4), lo=background * jnp.linspace(1.08, 0.88, 4))
    mc = [StatError("mc", sumw2=0.05 * sample) for sample in (signal, background)]
    samples = [
        FitSample("signal", signal, [NormFactor("mu"), mc[0]]),
        FitSample("background", background, [shape, mc[1]]),
    ]
    return Model([FitChannel("SR", samples)], parameter_of_interest="mu")


YIELDS = np.array([[4.0, 9.0, 5.0, 1.0], [70.0, 50.0, 38.0, 22.0]])
OBSERVED = np.array([70.0, 66.0, 41.0, 27.0])


def standard():
    model = model_of(*jnp.asarray(YIELDS))
    return model, model.data({"SR": OBSERVED})


def minuit(workspace, fixed=()):
    """Return the lowest negative log-likelihood that minuit finds for pyhf's model; parameters as name = value."""
    config = workspace["measurements"][0]["config"]
    theirs = pyhf.Model(
        {"channels": workspace["channels"], "parameters": config["parameters"]}, poi_name=config["poi"], validate=False
    )
    data = pyhf.Workspace(workspace, validate=False).data(theirs)
    minimiser = Minuit(
        lambda x: -theirs.logpdf(x, data)[0], theirs.config.suggested_init(), name=theirs.config.par_names
    )
    minimiser.errordef = Minuit.LIKELIHOOD
    minimiser.limits = theirs.config.suggested_bounds()
    minimiser.fixed = theirs.config.suggested_fixed()
    for name, value in dict(fixed).items():
        minimiser.values[name], minimiser.fixed[name] = value, True
    minimiser.tol = 1e-6
    for _ in range(2):  # the second time with a better estimate of the curvature
        minimiser.migrad(ncall=100_000)
    return minimiser


@pytest.fixture
def agc(shared_data):
    return json.loads((shared_data / AGC).read_text(encoding="utf-8"))


@pytest.mark.thorough
def test_agc_goldens(x64, agc):
    model, data = from_workspace(agc)
    result, mu = fit(model, data), model.index("ttbar_norm")
    assert result.converged and result.edm < 1e-15
    assert result.parameters[mu] == pytest.approx(0.960769, abs=5e-7)
    assert result.uncertainties[mu] == pytest.approx(0.108212, abs=5e-7)
    assert 2 * result.nll == pytest.approx(141.333534, abs=5e-7)
    asimov = fit(model, model.expected_data(model.initial))
    assert asimov.steps == 1  # it starts at the minimum
    assert asimov.uncertainties[mu] == pytest.approx(0.119666, abs=5e-7)


@pytest.mark.thorough
@pytest.mark.parametrize("fixed", [{}, {"ttbar_norm": 1.3}])
def test_agc_fits_equal_minuit(x64, agc, fixed):
    model, data = from_workspace(agc)
    assert fit(model, data, fixed=fixed).nll == pytest.approx(minuit(agc, fixed).fval, abs=1e-6)


@pytest.mark.thorough
def test_random_models_equal_minuit(x64):
    rng = np.random.default_rng(7)
    for fixed in ({}, {"mu": 0.0}, {}, {"mu": 2.0}, {"shape": 1.0}):
        model = model_of(*jnp.asarray(YIELDS * rng.uniform(0.5, 1.5, YIELDS.shape)))
        data = model.data({"SR": rng.poisson(OBSERVED)})
        result, theirs = fit(model, data, fixed=fixed), minuit(to_workspace(model, data), fixed)
        assert result.nll == pytest.approx(theirs.fval, abs=1e-6)
        np.testing.assert_allclose(result.parameters, theirs.values, atol=3e-3)


@pytest.mark.thorough
def test_a_parameter_at_its_bound(x64):
    model, _ = standard()
    data, mu = model.data({"SR": OBSERVED - 20}), model.index("mu")
    result = fit(model, data)
    assert result.converged and result.parameters[mu] == 0 and not result.inner[mu]
    assert result.nll == pytest.approx(minuit(to_workspace(model, data)).fval, abs=1e-6)
    assert result.at_bound[mu] and result.at_bound.sum() == 1
    # it can move to one side, where the profile likelihood rises by one half
    reach = fit(model, data, fixed={"mu": result.uncertainties[mu]})
    assert reach.nll - result.nll == pytest.approx(0.5, rel=0.02)
    np.testing.assert_array_equal(result.covariance[mu], 0)


def test_held_parameters_keep_their_value(x64):
    model, data = standard()
    result = fit(model, data, fixed={"mu": -0.3, "mc": [0.9, 1.0, 1.0, 1.1]}, init={"shape": 0.5})
    named = model.named(result.parameters)
    assert named["mu"] == -0.3  # outside its bounds
    np.testing.assert_array_equal(named["mc"], [0.9, 1.0, 1.0, 1.1])
    np.testing.assert_array_equal(result.inner, [not n.startswith(("mu", "mc")) for n in model.parameter_names])


def test_one_counting_experiment(x64):
    """Closed form: mu = (n - b) / s, with variance n / s**2."""
    model = Model([FitChannel("SR", [FitSample("s", [4.0], [NormFactor("mu")]), FitSample("b", [10.0])])])
    result = fit(model, model.data({"SR": [16.0]}))
    assert result.parameters[0] == pytest.approx(1.5)
    assert result.covariance[0, 0] == pytest.approx(1.0)
    assert result.deviance == pytest.approx(0)


def check_derivatives(function, *points):
    """Compare forward and reverse mode with central differences for all arguments, at each point; return the last."""
    _, unravel = ravel_pytree(points[0])
    compiled = jax.jit(lambda x: ravel_pytree(function(*unravel(x)))[0])
    forward, reverse = (jax.jit(jacobian(compiled)) for jacobian in (jax.jacfwd, jax.jacrev))
    for point in points:
        x, _ = ravel_pytree(point)
        steps = 1e-4 * jnp.eye(x.size)
        numeric = jnp.stack([(compiled(x + step) - compiled(x - step)) / 2e-4 for step in steps], axis=1)
        np.testing.assert_allclose(forward(x), numeric, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(reverse(x), forward(x), rtol=1e-9, atol=1e-12)
    return forward(x)


@pytest.mark.thorough
def test_derivatives_with_respect_to_yields_and_data(x64):
    def fitted(signal, background, observed):
        shape = HistoSys("shape", hi=background * jnp.array([0.9, 1.1]), lo=background * jnp.array([1.05, 0.93]))
        samples = [FitSample("signal", signal, [NormFactor("mu")]), FitSample("background", background, [shape])]
        model = Model([FitChannel("SR", samples)])
        result = fit(model, model.data({"SR": observed}))
        return result.parameters, result.nll, result.deviance

    signal, background, observed = jnp.array([8.0, 3.0]), jnp.array([50.0, 30.0]), jnp.array([62.0, 29.0])
    at_bound = check_derivatives(fitted, (signal, background, observed), (signal, background, observed - 15))
    np.testing.assert_array_equal(at_bound[1], 0)  # pressed against the bound, mu does not move


@pytest.mark.slow
def test_derivatives_of_conditional_fits_and_of_uncertainties(x64):
    def fitted(yields, observed, mu):
        model = model_of(*yields)
        result = fit(model, model.data({"SR": observed}), fixed={"mu": mu})
        return result.parameters, result.nll, result.uncertainties

    check_derivatives(fitted, (jnp.asarray(YIELDS), jnp.asarray(OBSERVED), jnp.asarray(0.4)))


@pytest.mark.thorough
def test_many_fits_at_once(x64):
    model, data = standard()
    counts = jax.random.poisson(jax.random.key(0), jnp.asarray(OBSERVED), (4, 4))
    toys, mus = jax.vmap(data.at[:4].set)(counts.astype(float)), jnp.linspace(0, 3, 4)
    together = jax.jit(jax.vmap(lambda toy, mu: fit(model, toy, fixed={"mu": mu})))(toys, mus)
    assert together.converged.all()
    one_by_one = [fit(model, toy, fixed={"mu": mu}).parameters for toy, mu in zip(toys, mus, strict=True)]
    np.testing.assert_allclose(together.parameters, one_by_one, atol=1e-8)


@pytest.mark.thorough
def test_degenerate_and_exact_parameters_do_not_hinder_the_others(x64):
    exact = StatError("mc", sumw2=[0.0, 1.0])
    signal = FitSample("s", [4.0, 8.0], [NormFactor("mu"), NormFactor("also mu"), exact])
    empty = FitSample("empty", [0.0, 0.0], [NormFactor("idle")])
    model = Model([FitChannel("SR", [signal, empty])])
    result = fit(model, model.data({"SR": [8.0, 16.0]}))
    named = model.named(result.parameters)
    assert result.converged and named["idle"] == 1 and named["mc"][0] == 1
    assert named["mu"] * named["also mu"] == pytest.approx(2)
    assert np.isinf(result.uncertainties[model.index("idle")])
    assert not result.inner[model.parameter_names.index("mc[0]")]


@pytest.mark.thorough
def test_failures_name_what_is_to_blame(x64):
    model, data = standard()
    with pytest.raises(FitError, match=r"did not converge in 1 steps: the estimated distance .* along .*mu = 1"):
        fit(model, data, max_steps=1)
    with pytest.raises(ValueError, match=r"cannot start at mu = -1.0, outside the bounds \[0.0, 10.0\]"):
        fit(model, data, init={"mu": -1.0})
    with pytest.raises(KeyError, match="no parameter 'nu'"):
        fit(model, data, fixed={"nu": 0.0})
    assert not jax.jit(lambda data: fit(model, data, max_steps=1).converged)(data)

    even = HistoSys("even", hi=[12.0, 0.0], lo=[12.0, 0.0])
    model = Model([FitChannel("SR", [FitSample("background", [10.0, 0.0], [even])])])
    with pytest.raises(FitError, match="no maximum there, it rises on both sides along even = 0"):
        fit(model, model.data({"SR": [30.0, 0.0]}), max_steps=1)
    with pytest.raises(FitError, match=r"1.0 events are observed in bin 1 of channel 'SR', where 0.0 are expected"):
        fit(model, model.data({"SR": [30.0, 1.0]}))


@pytest.mark.thorough
def test_single_precision():
    model = Model([FitChannel("SR", [FitSample("s", [4.0], [NormFactor("mu")]), FitSample("b", [10.0])])])
    result = fit(model, model.data({"SR": [16.0]}))
    assert result.parameters.dtype == jnp.float32
    assert result.parameters[0] == pytest.approx(1.5, abs=1e-3)
