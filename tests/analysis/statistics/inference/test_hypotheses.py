"""Test statistics and CLs against pyhf with converged fits."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
from jax.flatten_util import ravel_pytree

from hepgrad.analysis.statistics.fitting import FitError
from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, from_workspace
from hepgrad.analysis.statistics.inference import PrecisionWarning, asimov_data, discovery, hypotest, q0, qmu, qmu_tilde

pytestmark = pytest.mark.usefixtures("quick_compilation")


def in_pyhf_q(name, mu, model, data, lowest=0.0):
    bounds = model.config.suggested_bounds()
    bounds[model.config.poi_index] = (lowest, 10.0)
    statistic = getattr(pyhf.infer.test_statistics, name)
    return statistic(mu, data, model, model.config.suggested_init(), bounds, model.config.suggested_fixed())


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
def test_numbers_of_the_pyhf_tutorial(tutorial):
    test = hypotest(1.0, *from_workspace(tutorial))
    np.testing.assert_allclose(test.CLs_obs, 0.05251497, rtol=1e-4)
    np.testing.assert_allclose(test.CLs_exp, [0.00260626, 0.01382005, 0.06445319, 0.23525641, 0.57303617], rtol=1e-4)
    assert test.converged


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("seed", range(3))
def test_random_searches(seed, search, in_pyhf):
    workspace = search(seed)
    model, data = from_workspace(workspace)
    theirs = in_pyhf(workspace)
    for mu in (0.5, 1.7):
        observed, expected = pyhf.infer.hypotest(mu, theirs[1], theirs[0], return_expected_set=True)
        test = hypotest(mu, model, data)
        np.testing.assert_allclose(test.CLs_obs, observed, rtol=1e-5)
        np.testing.assert_allclose(test.CLs_exp, expected, rtol=1e-5)
    np.testing.assert_allclose(q0(model, data).value, in_pyhf_q("q0", 0.0, *theirs), rtol=1e-6, atol=1e-6)
    asimov = pyhf.infer.calculators.generate_asimov_data(1.0, theirs[1], theirs[0], None, None, None)
    np.testing.assert_allclose(asimov_data(model, 1.0, data), asimov, rtol=1e-5, atol=1e-4)


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
def test_signal_strengths_below_zero(tutorial, in_pyhf):
    tutorial["measurements"][0]["config"]["parameters"] = [{"name": "mu", "bounds": [[-10.0, 10.0]], "inits": [1.0]}]
    model, data = from_workspace(tutorial)
    theirs = in_pyhf(tutorial)
    np.testing.assert_allclose(qmu(1.0, model, data).value, in_pyhf_q("qmu", 1.0, *theirs, lowest=-10), rtol=1e-6)
    np.testing.assert_allclose(qmu_tilde(1.0, model, data).value, in_pyhf_q("qmu_tilde", 1.0, *theirs), rtol=1e-6)
    assert qmu(1.0, model, data).free.parameters[0] < 0
    assert q0(model, data).value == 0
    observed = pyhf.infer.hypotest(1.0, theirs[1], theirs[0], test_stat="q")
    np.testing.assert_allclose(hypotest(1.0, model, data, test_stat="q").CLs_obs, observed, rtol=1e-5)
    # above the best fit there is nothing to exclude
    assert qmu(0.5, model, asimov_data(model, 1.0)).value == 0


@pytest.mark.thorough
def test_grand_challenge_in_search_of_tw_production(agc):
    for channel in agc["channels"]:
        (signal,) = (sample for sample in channel["samples"] if sample["name"] == "tW")
        signal["modifiers"].append({"name": "mu", "type": "normfactor", "data": None})
    agc["measurements"][0]["config"]["poi"] = "mu"
    test = hypotest(1.0, *from_workspace(agc))
    # pyhf 0.7.6 with exact gradients (JAX) and a tolerance of 1e-12 takes half a minute for these numbers
    np.testing.assert_allclose(test.CLs_obs, 0.32872838, rtol=1e-6)
    np.testing.assert_allclose(
        test.CLs_exp, [0.0824667618, 0.181715893, 0.369040969, 0.642440594, 0.884840435], rtol=1e-6
    )


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
def test_discovery_equals_its_asimov_expectation(search):
    model, _ = from_workspace(search(0))
    result = discovery(model, asimov_data(model, 1.0))
    np.testing.assert_allclose(result.ratio.free.parameters, model.vector({"mu": 1.0}), atol=1e-9)
    np.testing.assert_allclose(result.significance**2, result.q0)
    np.testing.assert_allclose(result.p0, 0.5 * (1 + jax.scipy.special.erf(-result.significance / 2**0.5)), rtol=1e-9)


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
def test_derivatives_with_respect_to_templates_and_data(tutorial):
    model, data = from_workspace(tutorial)
    leaves, structure = jax.tree.flatten((model, data))
    vector, unravel = ravel_pytree(leaves)

    def cls(vector):
        model, data = jax.tree.unflatten(structure, unravel(vector))
        return hypotest(1.0, model, data).log_CLs_obs

    gradient = jax.grad(cls)(vector)
    for i in np.flatnonzero(vector):
        step = jnp.zeros_like(vector).at[i].set(1e-4 * vector[i])
        numeric = (cls(vector + step) - cls(vector - step)) / (2 * step[i])
        np.testing.assert_allclose(gradient[i], numeric, rtol=1e-5, atol=1e-8)


@pytest.mark.usefixtures("x64")
def test_errors_name_the_cause():
    samples = [FitSample("signal", [5.0, 2.0], [NormFactor("mu")]), FitSample("background", [50.0, 0.0])]
    without = Model([FitChannel("SR", samples)])
    with pytest.raises(ValueError, match=r"no parameter of interest.*\['mu'\]"):
        hypotest(1.0, without, [50.0, 1.0])
    model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    with pytest.raises(ValueError, match="test_stat must be 'q' or 'qtilde', got 'q0'"):
        hypotest(1.0, model, [50.0, 1.0], test_stat="q0")
    with pytest.raises(ValueError, match=r"bounds of 'mu' begin at 0.0.*qmu_tilde"):
        qmu(1.0, model, [50.0, 1.0])
    # events where nothing is expected without the signal
    with pytest.raises(FitError, match="bin 1 of channel 'SR'"):
        q0(model, [50.0, 1.0])


def test_single_precision_is_called_by_its_name():
    model = Model([FitChannel("SR", [FitSample("background", [50.0], [NormFactor("k")])])])
    with (
        pytest.warns(PrecisionWarning, match=r"hypotest computes in float32.*jax_enable_x64") as warnings,
        pytest.raises(ValueError, match="no parameter of interest"),
    ):
        hypotest(1.0, model, [50.0])
    assert len(warnings) == 1
    assert warnings[0].filename == __file__
