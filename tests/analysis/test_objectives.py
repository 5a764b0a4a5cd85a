"""Objectives: derivatives, limiting cases, agreement with the full inference, errors."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from hepgrad.analysis.statistics import asimov_z, discovery_significance
from hepgrad.analysis.statistics.histfactory import (
    FitChannel,
    HistoSys,
    Lumi,
    Model,
    NormFactor,
    NormSys,
    ParameterConfig,
    Sample,
    ShapeFactor,
    ShapeSys,
    StatError,
)
from hepgrad.analysis.statistics.inference import PrecisionWarning, asimov_data, covariance, fisher_information
from hepgrad.analysis.statistics.inference import discovery, hypotest, upper_limit
from hepgrad.analysis.statistics.objectives import OBJECTIVES, CLs, Discovery, Limit, Objective, Sigma, objective

pytestmark = pytest.mark.usefixtures("x64")


def search(scale=1.0):
    """Return a model with every kind of modifier and only positive yields."""
    signal = np.array([4.0, 9.0, 2.5]) * scale
    shift = HistoSys("jes", hi=1.1 * signal, lo=[3.7 * scale, 8.6 * scale, 2.4 * scale])
    modifiers = [NormFactor("mu"), Lumi(), NormSys("theory", hi=1.1, lo=0.85), shift]
    background = Sample(
        "background",
        [50.0, 60.0, 8.0],
        [
            NormSys("theory", hi=0.97, lo=1.02),
            HistoSys("jes", hi=[55.0, 61.0, 9.0], lo=[45.0, 58.0, 7.5]),
            StatError("mc", sumw2=[9.0, 4.0, 2.0]),
            ShapeSys("model", uncertainties=[5.0, 4.0, 2.0]),
        ],
    )
    other = Sample("other", [10.0, 5.0, 4.0], [StatError("mc", sumw2=[2.0, 1.0, 1.0]), NormFactor("k"), Lumi()])
    control = [
        Sample("background", [100.0, 80.0], [HistoSys("jes", hi=[110.0, 80.0], lo=[95.0, 77.0]), ShapeFactor("free")]),
        Sample("other", [200.0, 120.0], [NormFactor("k"), Lumi()]),
    ]
    third = [Sample("background", [300.0, 200.0], [ShapeFactor("free")])]
    return Model(
        [
            FitChannel("SR", [Sample("signal", signal, modifiers), background, other]),
            FitChannel("CR", control),
            FitChannel("third", third),
        ],
        parameter_of_interest="mu",
        parameters=[ParameterConfig("lumi", auxdata=1.0, sigmas=0.02)],
    )


def counting(signal, background, modifiers=()):
    samples = [Sample("signal", signal, [NormFactor("mu")]), Sample("background", background, modifiers)]
    return Model([FitChannel("SR", samples)], parameter_of_interest="mu")


def own(model):
    """Stand for a user's objective: Fisher information on k."""
    return fisher_information(model, model.initial)[model.index("k"), model.index("k")]


@pytest.mark.parametrize("choice", [*OBJECTIVES, Sigma("jes"), own], ids=str)
def test_derivatives_with_respect_to_every_yield(choice):
    model = search()
    chosen = objective(choice)
    vector, unravel = ravel_pytree(model.templates)

    def function(vector):
        return chosen(Model.tree_unflatten(model.layout, (unravel(vector),)))

    if not isinstance(chosen, Discovery | CLs | Limit):  # their fits are compiled already, and shared
        function = jax.jit(function)
    value, gradient = jax.value_and_grad(function)(vector)
    assert np.isfinite(value)
    # entries of samples and modifiers that are not there are 0 (factors 1) and have no influence
    acting = np.flatnonzero((vector != 0) & (vector != 1))
    assert acting.size > 40
    for i in acting:
        step = jnp.zeros_like(vector).at[i].set(1e-4 * vector[i])
        numeric = (function(vector + step) - function(vector - step)) / (2 * step[i])
        np.testing.assert_allclose(gradient[i], numeric, rtol=1e-5, atol=1e-6 * np.abs(gradient).max())


def test_agreement_with_the_full_inference():
    model = search()
    without_signal = asimov_data(model, 0.0)
    np.testing.assert_allclose(
        objective("discovery")(model), discovery(model, asimov_data(model, 1.0)).significance, rtol=1e-8
    )
    test = hypotest(1.0, model, without_signal)
    for band, expected in zip((-2.0, -1.0, 0.0, 1.0, 2.0), test.log_CLs_exp, strict=True):
        np.testing.assert_allclose(CLs(band=band)(model), -expected, rtol=1e-8)
    limit = upper_limit(model, without_signal).expected
    np.testing.assert_allclose(jnp.exp(-Limit()(model)), limit[2], rtol=1e-8)
    np.testing.assert_allclose(jnp.exp(-Limit(band=2.0)(model)), limit[4], rtol=1e-8)
    matrix = covariance(model, fisher_information(model, model.initial))
    for name in ("mu", "jes", "mc[1]", "free[0]"):
        index = model.parameter_names.index(name)
        np.testing.assert_allclose(jnp.exp(-Sigma(name)(model)), np.sqrt(matrix[index, index]), rtol=1e-8)


def test_agreement_with_counting_formulae():
    s, b = np.array([10.0, 5.0]), np.array([100.0, 30.0])
    model = counting(s, b, [ShapeSys("model", uncertainties=[10.0, 3.0])])
    z = asimov_z(s, b, np.array([10.0, 3.0]))
    np.testing.assert_allclose(objective("asimov_z")(model), np.sqrt((z**2).sum()), rtol=1e-12)
    # each bin has its own control measurement: profiling is counting
    np.testing.assert_allclose(objective("discovery")(model), objective("asimov_z")(model), rtol=1e-9)
    np.testing.assert_allclose(objective("s_over_sqrt_b")(model), np.sqrt((s**2 / b).sum()), rtol=1e-12)
    np.testing.assert_allclose(objective("s_over_sqrt_s_plus_b")(model), np.sqrt((s**2 / (s + b)).sum()), rtol=1e-12)
    np.testing.assert_allclose(
        objective("s_over_sqrt_b_plus_variance")(model), np.sqrt((s**2 / (b + [100.0, 9.0])).sum()), rtol=1e-12
    )


def test_agreement_with_the_counting_model_of_one_normalisation():
    s, b, v = np.array([3.0, 8.0, 1.0]), np.array([40.0, 20.0, 5.0]), np.array([4.0, 3.0, 2.0])
    samples = [
        Sample("signal", s, [NormFactor("mu")]),
        Sample("background", b, [NormSys("norm", hi=1.1, lo=1 / 1.1), StatError("mc", sumw2=v)]),
    ]
    model = Model([FitChannel("SR", samples)], parameter_of_interest="mu", normsys_code="code1")
    expected = discovery_significance(s, b, background_uncertainty=0.1, background_variance=v)
    np.testing.assert_allclose(Discovery()(model), expected, rtol=1e-9)


# signal and background of two bins
CORNERS = {
    "no signal": ([0.0, 0.0], [50.0, 20.0]),
    "no background": ([3.0, 5.0], [0.0, 0.0]),
    "no background in a bin": ([3.0, 5.0], [50.0, 0.0]),
    "empty bin": ([3.0, 0.0], [50.0, 0.0]),
    "nothing": ([0.0, 0.0], [0.0, 0.0]),
    "almost no signal": ([1e-12, 1e-12], [50.0, 20.0]),
    "eight sigma": ([60.0, 20.0], [50.0, 20.0]),
    "forty sigma": ([600.0, 200.0], [50.0, 20.0]),
}


@pytest.mark.parametrize("precise", [True, False], ids=["float64", "float32"])
@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.filterwarnings("ignore::hepgrad.analysis.statistics.inference.PrecisionWarning")
def test_finite_in_the_corners(name, precise):
    with jax.enable_x64(precise):
        model = counting([1.0, 1.0], [1.0, 1.0], [NormSys("norm", hi=1.2, lo=0.9), StatError("mc", sumw2=[1.0, 1.0])])
        templates = model.templates

        @jax.jit
        def evaluate(signal, background):
            def value(signal, background):
                new = dataclasses.replace(templates, nominal=jnp.stack([background, signal]))
                return tuple(objective(name).evaluate(Model.tree_unflatten(model.layout, (new,))))

            return jax.value_and_grad(value, argnums=(0, 1), has_aux=True)(signal, background)

        for corner, yields in CORNERS.items():
            (value, converged), gradients = evaluate(*jnp.asarray(yields))
            assert np.isfinite(value), corner
            assert np.isfinite(gradients).all(), corner
            assert converged, corner
            if corner in ("no signal", "nothing"):
                assert value == pytest.approx({"limit": -np.log(1e6), "sigma_mu": -np.log(1e6)}.get(name, 0)), corner


def test_slope_of_the_significance_of_a_vanishing_signal():
    background = np.array([50.0, 20.0])
    for size in (1e-3, 1e-6):
        signal = jnp.array([0.6, 0.8]) * size

        def z(signal):
            return Discovery()(counting(signal, background))

        # Z = sqrt(sum s**2 / b)
        expected = signal / background / np.sqrt((signal**2 / background).sum())
        np.testing.assert_allclose(jax.grad(z)(signal), expected, rtol=2 * size + 1e-6)


def test_a_failed_fit_is_flagged():
    model = search(scale=50.0)
    with jax.disable_jit(False):
        evaluation = jax.jit(Discovery(mu=1e6).evaluate)(model)
    assert np.isfinite(evaluation.value)


def test_errors_name_the_cause():
    with pytest.raises(ValueError, match=r"no objective 'Z'.*'discovery'"):
        objective("Z")
    with pytest.raises(ValueError, match="one number, got an array of shape"):
        objective(lambda model: model.initial)(search())
    with pytest.raises(ValueError, match="no parameter of interest"):
        Discovery()(Model([FitChannel("SR", [Sample("background", [50.0], [NormFactor("k")])])]))
    with pytest.raises(ValueError, match="no component 'pdf'"):
        Sigma("pdf")(search())
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        Limit(level=95)


def test_single_precision_is_called_by_its_name():
    with jax.enable_x64(False):
        model = counting([10.0], [100.0])
        with pytest.warns(PrecisionWarning, match="Discovery computes in float32"):
            value = Discovery()(model)
    np.testing.assert_allclose(value, 0.9840, rtol=1e-3)
