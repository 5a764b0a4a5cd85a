"""Upper limits: pyhf's CLs there, and their derivatives."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
from jax.flatten_util import ravel_pytree

from hepgrad.analysis.statistics.fitting import FitError
from hepgrad.analysis.statistics.fitting.empty import Rates
from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, from_workspace
from hepgrad.analysis.statistics.inference import asimov_data, hypotest, upper_limit
from hepgrad.analysis.statistics.measurement import limits, upper_limits

pytestmark = pytest.mark.usefixtures("x64", "quick_compilation")


@pytest.mark.thorough
def test_pyhf_excludes_at_the_limit(tutorial, in_pyhf):
    model, data = from_workspace(tutorial)
    limit = upper_limit(model, data)
    theirs, their_data = in_pyhf(tutorial)
    observed = pyhf.infer.hypotest(float(limit.observed), their_data, theirs)
    np.testing.assert_allclose(observed, 0.05, rtol=1e-5)
    for band, mu in enumerate(limit.expected):
        expected = pyhf.infer.hypotest(float(mu), their_data, theirs, return_expected_set=True)[1]
        np.testing.assert_allclose(expected[band], 0.05, rtol=1e-5)


@pytest.mark.thorough
def test_without_unblinding_the_median_is_observed(tutorial):
    model, _ = from_workspace(tutorial)
    limit = upper_limit(model, asimov_data(model, 0.0), level=0.1)
    np.testing.assert_allclose(limit.observed, limit.expected[2], rtol=1e-8)
    np.testing.assert_allclose(hypotest(limit.observed, model, asimov_data(model, 0.0)).CLs_obs, 0.1, rtol=1e-8)


@pytest.mark.thorough
def test_derivatives(tutorial):
    leaves, structure = jax.tree.flatten(from_workspace(tutorial))
    vector, unravel = ravel_pytree(leaves)

    def limits(vector):
        limit = upper_limit(*jax.tree.unflatten(structure, unravel(vector)))
        return jnp.stack([limit.observed, limit.expected[4]])

    value, pull = jax.vjp(limits, vector)
    gradients = np.array([pull(unit)[0] for unit in jnp.eye(len(value))])
    for i in np.flatnonzero(vector):
        step = jnp.zeros_like(vector).at[i].set(1e-4 * vector[i])
        numeric = (limits(vector + step) - limits(vector - step)) / (2 * step[i])
        np.testing.assert_allclose(gradients[:, i], numeric, rtol=1e-5, atol=1e-8)


@pytest.mark.thorough
def test_programs_do_not_provide_for_bins_without_events(monkeypatch):
    """What holds rates above zero where nothing is observed makes programs larger: it is there where it is needed."""
    monkeypatch.setattr(Rates, "at", None)
    program = upper_limits._limits

    def traced(*arguments, **settings):
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), program.eval_shape(*arguments, **settings))

    monkeypatch.setattr(upper_limits, "_limits", traced)
    # of a structure that no other test has, so that nothing is traced already
    samples = [FitSample("signal", [4.0, 9.0], [NormFactor("mu")]), FitSample("background", [50.0, 20.0])]
    model, data = Model([FitChannel("anew", samples)], parameter_of_interest="mu"), jnp.array([45.0, 25.0])
    assert limits([model, model, model], [data] * 3, at_once=2).observed.shape == (3,)
    with pytest.raises(TypeError):
        limits([model, model], [data, data.at[0].set(0)])
    jax.eval_shape(lambda data: upper_limit(model, data, empty_bins=False), data)
    with pytest.raises(TypeError):
        jax.eval_shape(lambda data: upper_limit(model, data), data)


def test_signal_without_effect_and_impossible_levels(tutorial):
    model, data = from_workspace(tutorial)
    # the model itself refuses a signal without events, so it is taken away afterwards
    without = dataclasses.replace(model.templates, nominal=model.templates.nominal.at[1].set(0))
    with pytest.raises(FitError, match="no upper limit on 'mu'"):
        upper_limit(Model.tree_unflatten(model.layout, (without,)), data)
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        upper_limit(model, data, level=95)
    with pytest.raises(ValueError, match="test_stat must be 'q' or 'qtilde'"):
        upper_limit(model, data, test_stat="q0")
