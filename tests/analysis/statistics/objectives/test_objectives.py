"""Objectives: derivatives, limiting cases, agreement with the full inference, errors."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from hepgrad.analysis.statistics import asimov_z, discovery_significance
from hepgrad.analysis.statistics.fitting import FitError, fit
from hepgrad.analysis.statistics.fitting.empty import Rates
from hepgrad.analysis.statistics.histfactory import (
    FitChannel,
    FitSample,
    HistoSys,
    Lumi,
    Model,
    NormFactor,
    NormSys,
    ParameterConfig,
    ShapeFactor,
    ShapeSys,
    StatError,
)
from hepgrad.analysis.statistics.inference import (
    PrecisionWarning,
    asimov_data,
    covariance,
    discovery,
    fisher_information,
    hypotest,
    upper_limit,
)
from hepgrad.analysis.statistics.objectives import OBJECTIVES, CLs, Discovery, Limit, Luminosity, Sigma, objective

pytestmark = [pytest.mark.usefixtures("x64", "quick_compilation"), pytest.mark.thorough]


def search():
    """Return a model with every kind of modifier and only positive yields."""
    signal = np.array([4.0, 9.0, 2.5])
    shift = HistoSys("jes", hi=1.1 * signal, lo=[3.7, 8.6, 2.4])
    modifiers = [NormFactor("mu"), Lumi(), NormSys("theory", hi=1.1, lo=0.85), shift]
    background = FitSample(
        "background",
        [50.0, 60.0, 8.0],
        [
            NormSys("theory", hi=0.97, lo=1.02),
            HistoSys("jes", hi=[55.0, 61.0, 9.0], lo=[45.0, 58.0, 7.5]),
            StatError("mc", sumw2=[9.0, 4.0, 2.0]),
            ShapeSys("model", uncertainties=[5.0, 4.0, 2.0]),
        ],
    )
    other = FitSample("other", [10.0, 5.0, 4.0], [StatError("mc", sumw2=[2.0, 1.0, 1.0]), NormFactor("k"), Lumi()])
    control = [
        FitSample(
            "background", [100.0, 80.0], [HistoSys("jes", hi=[110.0, 80.0], lo=[95.0, 77.0]), ShapeFactor("free")]
        ),
        FitSample("other", [200.0, 120.0], [NormFactor("k"), Lumi()]),
    ]
    third = [FitSample("background", [300.0, 200.0], [ShapeFactor("free")])]
    return Model(
        [
            FitChannel("SR", [FitSample("signal", signal, modifiers), background, other]),
            FitChannel("CR", control),
            FitChannel("third", third),
        ],
        parameter_of_interest="mu",
        parameters=[ParameterConfig("lumi", auxdata=1.0, sigmas=0.02)],
    )


SIGNAL, BACKGROUND, UNCERTAINTIES = np.array([10.0, 5.0]), np.array([100.0, 30.0]), np.array([10.0, 3.0])


def independent_bins(signal=SIGNAL):
    """Return a model with a control measurement of the background for each bin."""
    background = FitSample("background", BACKGROUND, [ShapeSys("model", uncertainties=UNCERTAINTIES)])
    return Model(
        [FitChannel("SR", [FitSample("signal", signal, [NormFactor("mu")]), background])], parameter_of_interest="mu"
    )


def one_normalisation(signal, background):
    """Return a model with a common normalisation of the background, and simulated statistics."""
    modifiers = [NormSys("norm", hi=1.1, lo=1 / 1.1), StatError("mc", sumw2=background)]
    samples = [FitSample("signal", signal, [NormFactor("mu")]), FitSample("background", background, modifiers)]
    return Model([FitChannel("SR", samples)], parameter_of_interest="mu", normsys_code="code1")


def own(model):
    """Stand for a user's objective: Fisher information on k."""
    return fisher_information(model, model.initial)[model.index("k"), model.index("k")]


def check_derivatives(model, function, vector, gradient):
    """Compare with central differences for every entry that acts."""
    # entries of samples and modifiers that are not there are 0 (factors 1) and have no influence
    acting = np.flatnonzero((vector != 0) & (vector != 1))
    scale = np.abs(gradient).max(axis=-1)
    assert (scale > 0).all()
    for i in acting:
        step = jnp.zeros_like(vector).at[i].set(1e-5 * vector[i])
        numeric = (function(vector + step) - function(vector - step)) / (2 * step[i])
        np.testing.assert_array_less(np.abs(gradient[..., i] - numeric), 1e-5 * np.abs(numeric) + 1e-6 * scale)
    return acting.size


def of_templates(model, value):
    """Return a function of all numbers of the templates in one vector, and that vector."""
    vector, unravel = ravel_pytree(model.templates)
    return lambda vector: value(Model.tree_unflatten(model.layout, (unravel(vector),))), vector


# five standard deviations are beyond what the uncertainties of this model allow, however many events there are
CHOICES = [*(name for name in OBJECTIVES if name != "luminosity"), Luminosity(1.0), Sigma("jes"), own]


@pytest.mark.parametrize("choice", [pytest.param(c, marks=pytest.mark.slow if c == "limit" else ()) for c in CHOICES])
def test_derivatives_with_respect_to_every_yield(choice):
    model = search()
    function, vector = of_templates(model, objective(choice))
    assert check_derivatives(model, function, vector, jax.grad(function)(vector)) > 40


def test_derivatives_of_the_limit_with_respect_to_every_yield():
    model = independent_bins()
    function, vector = of_templates(model, Limit(band=1.0))
    check_derivatives(model, function, vector, jax.grad(function)(vector))


def test_agreement_with_the_full_inference():
    model = independent_bins()
    without_signal = asimov_data(model, 0.0)
    z = discovery(model, asimov_data(model, 1.0)).significance
    np.testing.assert_allclose(objective("discovery")(model), z, rtol=1e-8)
    test = hypotest(1.0, model, without_signal)
    for band, expected in zip((-2.0, -1.0, 0.0, 1.0, 2.0), test.log_CLs_exp, strict=True):
        np.testing.assert_allclose(CLs(band=band)(model), -expected, rtol=1e-8)
    limit = upper_limit(model, without_signal).expected
    np.testing.assert_allclose(jnp.exp(-Limit()(model)), limit[2], rtol=1e-8)
    np.testing.assert_allclose(jnp.exp(-Limit(band=2.0)(model)), limit[4], rtol=1e-8)


def test_sigma_is_the_square_root_of_the_expected_variance():
    model = search()
    matrix = covariance(model, fisher_information(model, model.initial))
    names = ("mu", "jes", "mc[1]", "free[0]")
    for name in names:
        index = model.parameter_names.index(name)
        np.testing.assert_allclose(jnp.exp(-Sigma(name)(model)), np.sqrt(matrix[index, index]), rtol=1e-8)


def test_agreement_with_counting_formulae():
    model, s, b, v = independent_bins(), SIGNAL, BACKGROUND, UNCERTAINTIES**2
    z = np.sqrt((asimov_z(s, b, np.sqrt(v)) ** 2).sum())
    np.testing.assert_allclose(objective("asimov_z")(model), z, rtol=1e-12)
    # each bin has its own control measurement: profiling is counting
    np.testing.assert_allclose(objective("discovery")(model), z, rtol=1e-9)
    np.testing.assert_allclose(objective("s_over_sqrt_b")(model), np.sqrt((s**2 / b).sum()), rtol=1e-12)
    np.testing.assert_allclose(objective("s_over_sqrt_s_plus_b")(model), np.sqrt((s**2 / (s + b)).sum()), rtol=1e-12)
    ratio = np.sqrt((s**2 / (b + v)).sum())
    np.testing.assert_allclose(objective("s_over_sqrt_b_plus_variance")(model), ratio, rtol=1e-12)


def test_agreement_with_the_closed_form_of_one_normalisation():
    expected = discovery_significance(SIGNAL, BACKGROUND, background_uncertainty=0.1, background_variance=BACKGROUND)
    np.testing.assert_allclose(Discovery()(one_normalisation(SIGNAL, BACKGROUND)), expected, rtol=1e-9)


# signal and background of two bins
CORNERS = {
    "no signal": ([0.0, 0.0], [50.0, 20.0]),
    "no background": ([3.0, 5.0], [0.0, 0.0]),
    "no background in a bin": ([3.0, 5.0], [50.0, 0.0]),
    "empty bin": ([3.0, 0.0], [50.0, 0.0]),
    "nothing": ([0.0, 0.0], [0.0, 0.0]),
    "almost no signal": ([1e-12, 1e-12], [50.0, 20.0]),
    "eight sigma": ([200.0, 50.0], [50.0, 20.0]),
    "forty sigma": ([2000.0, 500.0], [50.0, 20.0]),
}


@pytest.mark.parametrize("precise", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["float64", "float32"])
@pytest.mark.filterwarnings("ignore::hepgrad.analysis.statistics.inference.PrecisionWarning")
def test_finite_in_the_corners(precise):
    with jax.enable_x64(precise):
        model = one_normalisation([1.0, 1.0], [1.0, 1.0])

        def evaluate(name, signal, background):
            new = dataclasses.replace(model.templates, nominal=jnp.stack([background, signal]))
            return tuple(objective(name).evaluate(Model.tree_unflatten(model.layout, (new,))))

        function = jax.jit(jax.value_and_grad(evaluate, argnums=(1, 2), has_aux=True), static_argnums=0)
        for name, (corner, yields) in itertools.product(OBJECTIVES, CORNERS.items()):
            (value, converged), gradients = function(name, *jnp.asarray(yields))
            assert np.isfinite(value), (name, corner)
            assert np.isfinite(gradients).all(), (name, corner)
            assert converged, (name, corner)
            if corner in ("no signal", "nothing"):
                expected = -np.log(1e6) if name in ("limit", "luminosity", "sigma_mu") else 0
                assert value == pytest.approx(expected, abs=1e-6), (name, corner)


def test_slope_of_the_significance_of_a_vanishing_signal():
    variance = BACKGROUND + UNCERTAINTIES**2
    for size in (1e-3, 1e-6):
        signal = jnp.array([0.6, 0.8]) * size
        # Z = sqrt(sum s**2 / (b + sigma**2))
        expected = signal / variance / np.sqrt((signal**2 / variance).sum())
        gradient = jax.grad(lambda signal: Discovery()(independent_bins(signal)))(signal)
        np.testing.assert_allclose(gradient, expected, rtol=2 * size + 1e-6)


def test_a_failed_fit_is_flagged_and_finite(monkeypatch):
    # one step is not enough
    monkeypatch.setattr("hepgrad.analysis.statistics.objectives.discovery.fit", functools.partial(fit, max_steps=1))
    with pytest.raises(FitError, match="did not converge"):
        Discovery()(independent_bins())
    (value, converged), gradient = jax.jit(
        jax.value_and_grad(lambda model: tuple(Discovery().evaluate(model)), has_aux=True)
    )(independent_bins())
    assert not converged
    assert np.isfinite(value)
    assert np.isfinite(gradient.templates.nominal).all()


@pytest.mark.parametrize("name", ["discovery", "cls", "limit"])
def test_programs_do_not_provide_for_bins_without_events(monkeypatch, name):
    """The floor leaves no bin of Asimov data empty, and every optimisation compiles such a program."""
    monkeypatch.setattr(Rates, "at", None)
    model, measure = search(), objective(name)
    for evaluate in (measure.evaluate, measure.confirmed):
        jax.eval_shape(jax.grad(lambda model, evaluate=evaluate: evaluate(model).value), model)
    with pytest.raises(TypeError):
        jax.eval_shape(lambda data: fit(model, data), model.expected_data(model.initial))


def test_errors_name_the_cause():
    with pytest.raises(ValueError, match=r"no objective 'Z'.*'discovery'"):
        objective("Z")
    with pytest.raises(ValueError, match="one number, got an array of shape"):
        objective(lambda model: model.initial)(search())
    with pytest.raises(ValueError, match="no parameter of interest"):
        Discovery()(Model([FitChannel("SR", [FitSample("background", [50.0], [NormFactor("k")])])]))
    with pytest.raises(ValueError, match="no component 'pdf'"):
        Sigma("pdf")(search())
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        Limit(level=95)


def test_single_precision_is_called_by_its_name():
    model = Model([FitChannel("SR", [FitSample("background", [50.0], [NormFactor("k")])])])
    with (
        jax.enable_x64(False),
        pytest.warns(PrecisionWarning, match="Discovery computes in float32"),
        pytest.raises(ValueError, match="no parameter of interest"),
    ):
        Discovery()(model)
