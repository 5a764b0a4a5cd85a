"""Pseudo-experiments: their distributions, and that the asymptotic formulae describe them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from hepgrad.analysis.statistics.fitting import FitError
from hepgrad.analysis.statistics.histfactory import (
    FitChannel,
    FitSample,
    HistoSys,
    Model,
    NormFactor,
    NormSys,
    from_workspace,
)
from hepgrad.analysis.statistics.inference import (
    ToyTest,
    asimov_data,
    hypotest,
    pseudo_data,
    toy_hypotest,
    toy_statistics,
    toys,
    upper_limit,
)
from hepgrad.analysis.statistics.inference.batches import in_batches

pytestmark = pytest.mark.usefixtures("x64", "quick_compilation")
NUMBER = 4000


@pytest.mark.thorough
def test_pseudo_data_scatter_as_expected(search):
    model, _ = from_workspace(search(0))
    truth = model.vector({"mu": 2.0, "jes": 0.5, "model": [0.8, 1.1]})
    data = pseudo_data(model, truth, jax.random.key(3), NUMBER)
    expected = model.expected_data(truth)
    index, is_poisson = model.layout.constrained, model.layout.has_poisson_constraint
    auxiliary = np.where(is_poisson, model.expected_auxdata(truth), model.constraints.variance[index])
    variance = np.concatenate([model.expected_actualdata(truth), auxiliary])
    np.testing.assert_array_less(np.abs(data.mean(axis=0) - expected), 4 * np.sqrt(variance / NUMBER))
    np.testing.assert_allclose(data.var(axis=0), variance, rtol=0.15)
    assert (data == pseudo_data(model, truth, jax.random.key(3), NUMBER)).all()


@pytest.mark.thorough
def test_asymptotics_describe_pseudo_experiments(tutorial):
    model, data = from_workspace(tutorial)
    formula = hypotest(1.0, model, data)
    test = toy_hypotest(1.0, model, data, jax.random.key(0), number=NUMBER)
    assert test.failed == 0
    # binomial errors, and the per cent by which some fifty events differ from the limit of many
    for name in ("CLsb_obs", "CLb_obs"):
        p = getattr(formula, name)
        assert abs(getattr(test, name) - p) < 4 * np.sqrt(p * (1 - p) / NUMBER) + 0.01
    assert abs(test.CLs_obs - formula.CLs_obs) < 4 * test.CLs_error + 0.01
    np.testing.assert_allclose(test.CLs_exp[1:4], formula.CLs_exp[1:4], rtol=0.2, atol=0.005)
    # half of the experiments without signal have no excess, the others the chi-square distribution
    q = toy_statistics(0.0, model, model.vector({"mu": 0.0}), jax.random.key(1), number=NUMBER, test_stat="q0")
    for quantile in (0.5, 0.84, 0.95):
        fraction = (q > norm.ppf(quantile) ** 2).mean()
        assert abs(fraction - (1 - quantile)) < 4 * np.sqrt(quantile * (1 - quantile) / NUMBER) + 0.01


@pytest.mark.thorough
def test_failed_pseudo_experiments_are_counted_and_stop_the_test(tutorial, monkeypatch):
    """Fits that may take one step only do not converge: what is left would be a biased sample."""
    model, data = from_workspace(tutorial)
    monkeypatch.setattr(toys, "STEPS", 1)
    with pytest.raises(
        FitError, match=r"the fits of \d+ of 50 pseudo-experiments failed: what is left would be biased"
    ):
        toy_statistics(1.0, model, model.initial, jax.random.key(0), number=50)
    with pytest.raises(FitError, match=r"of 51 pseudo-experiments failed"):
        toy_hypotest(1.0, model, data, jax.random.key(0), number=51)
    count = jax.jit(lambda key: jnp.isnan(toy_statistics(1.0, model, model.initial, key, number=52)).sum())
    assert count(jax.random.key(0)) > 0.01 * 52
    some = ToyTest(jnp.array(1.0), jnp.array([1.0, jnp.nan]), jnp.array([2.0, 0.0]))
    assert some.failed == 1 and some.CLsb_obs == 1


@pytest.mark.slow
def test_pvalues_of_many_pseudo_experiments_are_asymptotic():
    """A well-behaved model: ten thousand experiments with thousands of events, and a systematic uncertainty."""
    background = np.array([4000.0, 9000.0, 6000.0])
    shape = HistoSys("shape", hi=background * [1.02, 1.0, 0.97], lo=background * [0.98, 1.0, 1.03])
    samples = [
        FitSample("signal", [200.0, 100.0, 400.0], [NormFactor("mu")]),
        FitSample("background", background, [shape, NormSys("norm", hi=1.05, lo=0.95)]),
    ]
    model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    number = 10_000
    truth = model.vector({"mu": 0.0})
    q = toy_statistics(0.0, model, truth, jax.random.key(2), number=number, test_stat="q0")
    assert not jnp.isnan(q).any()
    for p in (0.4, 0.16, 0.05, 0.0228):
        assert abs((q > norm.isf(p) ** 2).mean() - p) < 3 * np.sqrt(p * (1 - p) / number)
    # a limit on a signal at the limit covers it in 95 % of the experiments
    limit = upper_limit(model, asimov_data(model, 0.0)).expected[2]
    there = model.vector({"mu": limit})
    q = toy_statistics(limit, model, there, jax.random.key(3), number=number, test_stat="qtilde")
    assert abs((q <= norm.isf(0.05) ** 2).mean() - 0.95) < 0.015


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_batches_leave_nothing_out(size):
    np.testing.assert_array_equal(in_batches(lambda x: 2 * x, np.arange(7), size=size), 2 * np.arange(7))
