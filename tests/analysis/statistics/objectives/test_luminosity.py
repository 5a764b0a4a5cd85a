"""The luminosity that a discovery takes."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, NormSys, StatError
from hepgrad.analysis.statistics.objectives import Discovery, Luminosity
from hepgrad.analysis.statistics.objectives.luminosity import with_luminosity

pytestmark = [pytest.mark.usefixtures("x64", "quick_compilation"), pytest.mark.thorough]


def model(background=(100.0, 30.0), signal=(10.0, 9.0), xsec=1.05, statistics=0.05):
    b = np.array(background)
    sample = FitSample("background", b, [NormSys("xsec", hi=xsec, lo=1 / xsec), StatError("mc", sumw2=statistics * b)])
    return Model(
        [FitChannel("SR", [FitSample("signal", signal, [NormFactor("mu")]), sample])], parameter_of_interest="mu"
    )


def test_without_uncertainties_the_significance_grows_with_the_root():
    plain = Model(
        [FitChannel("SR", [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [100.0])])],
        parameter_of_interest="mu",
    )
    z = np.sqrt(2 * (110 * np.log(1.1) - 10))
    assert float(Luminosity(5.0)(plain)) == pytest.approx(-2 * np.log(5 / z), rel=1e-9)
    told = Luminosity(5.0, luminosity=139.0, unit="/fb")
    assert told.merit.of(float(told(plain))) == pytest.approx(139 * (5 / z) ** 2, rel=1e-9)
    assert told.merit.title == "Luminosity for a significance of 5 [/fb]"


def test_it_is_where_the_significance_is_reached():
    at = model()
    scaled = jax.jit(lambda times: Discovery().evaluate(with_luminosity(at, times)).value)
    expected = brentq(lambda times: float(scaled(times)) - 3, 0.1, 100, rtol=1e-12)
    assert float(jnp.exp(-Luminosity(3.0)(at))) == pytest.approx(expected, rel=1e-8)


def test_derivatives():
    at = model()

    def value(nominal):
        return (
            Luminosity(3.0)
            .evaluate(Model.tree_unflatten(at.layout, (dataclasses.replace(at.templates, nominal=nominal),)))
            .value
        )

    nominal, fast = at.templates.nominal, jax.jit(value)
    slope = jax.jit(jax.grad(value))(nominal)
    for index in np.ndindex(nominal.shape):
        step = jnp.zeros_like(nominal).at[index].set(1e-4)
        numeric = float(fast(nominal + step) - fast(nominal - step)) / 2e-4
        assert float(slope[index]) == pytest.approx(numeric, rel=1e-5)


def test_what_no_luminosity_discovers():
    for hopeless in (model(signal=(1e-12, 1e-12)), model(statistics=50.0, xsec=2.0)):
        value, converged = Luminosity(5.0).evaluate(hopeless)
        assert converged
        assert float(value) == pytest.approx(-np.log(1e6))
    with pytest.raises(ValueError, match="numbers must be positive"):
        Luminosity(0.0)
