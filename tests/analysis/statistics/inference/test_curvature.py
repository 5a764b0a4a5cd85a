"""Covariance, impacts and breakdown against published numbers, exact Hessians and fits in pyhf."""

from __future__ import annotations

import jax
import numpy as np
import pyhf
import pytest

from hepgrad.analysis.statistics.fitting import fit
from hepgrad.analysis.statistics.histfactory import from_workspace
from hepgrad.analysis.statistics.inference import breakdown, correlation, covariance, fisher_information, impacts, q0

pytestmark = pytest.mark.usefixtures("x64", "quick_compilation")


@pytest.mark.thorough
def test_grand_challenge(agc):
    model, data = from_workspace(agc)
    best, index = fit(model, data), model.index("ttbar_norm")
    np.testing.assert_allclose(best.parameters[index], 0.960769, atol=1e-6)
    np.testing.assert_allclose(np.sqrt(best.covariance[index, index]), 0.108212, atol=1e-6)
    expected = covariance(model, fisher_information(model, model.initial))
    np.testing.assert_allclose(np.sqrt(expected[index, index]), 0.119666, atol=1e-6)
    # pyhf 0.7.6 by scipy (tolerance 1e-12) and by minuit (strategy 0)
    np.testing.assert_allclose(q0(model, data).value, 5519.364191, rtol=1e-8)


@pytest.mark.thorough
def test_information_is_the_expected_hessian(search):
    model, _ = from_workspace(search(1))
    point = model.vector({"mu": 1.3, "jes": 0.4, "model": [0.9, 1.2], "mc": [1.1, 0.9, 1.0]})
    exact = jax.hessian(lambda x: -model.logpdf(x, model.expected_data(point)))(point)
    information = fisher_information(model, point)
    np.testing.assert_allclose(information, exact, rtol=1e-8, atol=1e-8)
    expected = covariance(model, information)
    np.testing.assert_allclose(expected, np.linalg.inv(exact), rtol=1e-6, atol=1e-12)
    deviations = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(correlation(expected), expected / np.outer(deviations, deviations), rtol=1e-9)


def test_parameters_that_fits_hold_have_no_covariance(search):
    workspace = search(0)
    workspace["measurements"][0]["config"]["parameters"] = [{"name": "xsec", "fixed": True}]
    model, _ = from_workspace(workspace)
    matrix = covariance(model, fisher_information(model, model.initial))
    held = model.index("xsec")
    assert (matrix[held] == 0).all()
    assert (correlation(matrix)[held] == np.eye(len(matrix))[held]).all()
    assert np.linalg.eigvalsh(np.delete(np.delete(matrix, held, 0), held, 1)).min() > 0


@pytest.mark.thorough
def test_impacts_are_those_of_fits_in_pyhf(search, in_pyhf):
    model, data = from_workspace(search(0))
    result = impacts(model, data)
    uncertainties = result.best.uncertainties
    theirs, their_data = in_pyhf(search(0))
    best = pyhf.infer.mle.fit(their_data, theirs)
    poi = theirs.config.poi_index

    def change(name, shift):
        index = theirs.config.par_names.index(name)
        start, fixed = best.tolist(), theirs.config.suggested_fixed()
        start[index], fixed[index] = start[index] + shift, True
        return pyhf.infer.mle.fit(their_data, theirs, start, fixed_params=fixed)[poi] - best[poi]

    for name, prefit in (("jes", 1.0), ("model[1]", 0.3), ("mc[0]", None), ("k", 0.0)):
        i = result.names.index(name)
        prefit = np.sqrt(model.constraints.variance[i]) if prefit is None else prefit
        np.testing.assert_allclose(result.prefit_up[i], change(name, prefit), atol=1e-4)
        np.testing.assert_allclose(result.postfit_down[i], change(name, -uncertainties[i]), atol=1e-4)
        assert result.constraint[i] == pytest.approx(uncertainties[i] / prefit if prefit else 0)
    jes = result.names.index("jes")
    np.testing.assert_allclose(result.pull[jes], best[jes], atol=1e-4)
    assert result.ranking()[0] == "jes"
    assert "mu" not in result.ranking()


def test_breakdown_adds_up(search):
    model, data = from_workspace(search(0))
    groups = {
        "jes": ["jes"],
        "simulation": ["mc", "model"],
        "all": ["jes", "lumi", "xsec", "mc", "model"],
    }
    parts = breakdown(model, data, groups)
    hessian = np.linalg.inv(fit(model, data).covariance)
    free = [model.index(name) for name in ("mu", "k")]
    statistical = np.sqrt(np.linalg.inv(hessian[np.ix_(free, free)])[0, 0])
    np.testing.assert_allclose(parts.statistical, statistical, rtol=1e-8)
    np.testing.assert_allclose(parts.groups["all"] ** 2 + statistical**2, parts.total**2, rtol=1e-8)
    held = np.delete(np.delete(hessian, model.index("jes"), 0), model.index("jes"), 1)
    mu = model.index("mu") - (model.index("mu") > model.index("jes"))
    np.testing.assert_allclose(parts.total**2 - parts.groups["jes"] ** 2, np.linalg.inv(held)[mu, mu], rtol=1e-8)
    with pytest.raises(ValueError, match=r"group 'theory' names 'pdf'.*'jes'"):
        breakdown(model, data, {"theory": ["pdf"]})
    with pytest.raises(ValueError, match="group 'all' holds 'mu'"):
        breakdown(model, data, {"all": ["jes", "mu"]})
