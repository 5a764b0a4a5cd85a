"""The exact Hessian, the information and the eliminated equations against the plain ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis.statistics.fitting.hessian import likelihood, nll
from hepgrad.analysis.statistics.fitting.incidence import arrangement
from hepgrad.analysis.statistics.fitting.linear import solve
from hepgrad.analysis.statistics.histfactory import (
    FitChannel,
    FitSample,
    HistoSys,
    Model,
    NormFactor,
    NormSys,
    ShapeFactor,
    ShapeSys,
    StatError,
)


@jax.jit
def compiled(model, parameters, data):
    function = likelihood(model, data)
    found = function.derivatives(parameters)
    return (
        found,
        function.information(parameters, found.slopes),
        function.information_diagonal(parameters, found.slopes),
    )


compiled_solve = jax.jit(solve, static_argnums=0)


def sample(name, yields, *modifiers):
    return FitSample(name, jnp.asarray(yields), modifiers)


@pytest.fixture(scope="module")
def model():
    """Factors that meet in bins in all ways: two in one bin, one in two bins, and both; variations that meet them."""
    with jax.enable_x64():
        xsec, shape = NormSys("xsec", hi=1.2, lo=0.9), HistoSys("shape", hi=[22.0, 31.0], lo=[17.0, 28.0])
        free, mc = ShapeFactor("free"), [StatError(f"mc {i}", sumw2=[1.0, 2.0]) for i in range(2)]
        return Model(
            [
                FitChannel(
                    "SR",
                    [
                        sample("signal", [5.0, 9.0], NormFactor("mu"), NormSys("eff", hi=1.1, lo=0.8), xsec, mc[0]),
                        sample(
                            "fakes", [20.0, 30.0], xsec, shape, mc[0], ShapeSys("stat", uncertainties=[3.0, 4.0]), free
                        ),
                    ],
                ),
                FitChannel("CR", [sample("fakes", [200.0, 330.0], mc[1], free, NormFactor("k"))]),
            ],
        )


@pytest.fixture
def point(model, x64):
    parameters = model.initial * jnp.linspace(0.9, 1.15, model.layout.size) + 0.1
    return parameters, model.data({"SR": [30.0, 42.0], "CR": [190.0, 350.0]})


@pytest.mark.thorough
def test_hessian(model, point):
    parameters, data = point
    result, *_ = compiled(model, *point)
    value_and_gradient = jax.jit(jax.value_and_grad(lambda x: nll(model, x, data)))
    value, gradient = value_and_gradient(parameters)
    assert result.value == pytest.approx(value)
    np.testing.assert_allclose(result.gradient, gradient, rtol=1e-12)
    steps = 1e-5 * jnp.eye(parameters.size)
    numeric = [(value_and_gradient(parameters + s)[1] - value_and_gradient(parameters - s)[1]) / 2e-5 for s in steps]
    np.testing.assert_allclose(result.hessian.matrix, numeric, rtol=1e-7, atol=1e-5)
    # one parameter of each bin is eliminated
    assert arrangement(model.layout).local.size == model.layout.bins


def test_information_is_the_hessian_on_asimov_data(model, point):
    """Where data equal their expectation, the Hessian has no term from the curvature of the expectation."""
    parameters, _ = point
    result, information, diagonal = compiled(model, parameters, model.expected_data(parameters))
    np.testing.assert_allclose(information.matrix, result.hessian.matrix, rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(diagonal, information.diagonal, rtol=1e-12)


def test_equations(model, point):
    information = compiled(model, *point)[1].matrix
    inner = jnp.arange(model.layout.size) % 5 != 1
    vector = jnp.cos(jnp.arange(model.layout.size))
    held = np.flatnonzero(inner)
    for damping in (0.0, 0.3):
        damped = np.asarray(information + damping * jnp.diag(jnp.diag(information)))
        expected = np.zeros(model.layout.size)
        expected[held] = np.linalg.solve(damped[np.ix_(held, held)], np.asarray(vector)[held])
        solution = compiled_solve(model.layout, information, inner, vector, damping=damping)
        np.testing.assert_allclose(solution, expected, rtol=1e-8)


@pytest.mark.parametrize("component", ["mu", "free"])
def test_an_indefinite_matrix_gives_nan(model, point, component):
    information = compiled(model, *point)[1].matrix
    first = jnp.arange(model.layout.size) == model.parameter_names.index(component if component == "mu" else "free[0]")
    everything = jnp.ones(model.layout.size, bool)
    matrix = information - 2 * jnp.diag(jnp.where(first, jnp.diag(information), 0))
    assert np.isnan(compiled_solve(model.layout, matrix, everything, jnp.ones(model.layout.size))).any()
