"""Pseudo-experiments: their distributions, and that the asymptotic formulae describe them."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy.stats import norm

from hepgrad.analysis.statistics.histfactory import from_workspace
from hepgrad.analysis.statistics.inference import hypotest, pseudo_data, toy_hypotest, toy_statistics
from hepgrad.analysis.statistics.inference.batches import in_batches

pytestmark = pytest.mark.usefixtures("x64", "quick_compilation")
NUMBER = 4000


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


def test_asymptotics_describe_pseudo_experiments(tutorial):
    model, data = from_workspace(tutorial)
    formula = hypotest(1.0, model, data)
    toys = toy_hypotest(1.0, model, data, jax.random.key(0), number=NUMBER)
    assert toys.failed == 0
    # binomial errors, and the per cent by which some fifty events differ from the limit of many
    for name in ("CLsb_obs", "CLb_obs"):
        p = getattr(formula, name)
        assert abs(getattr(toys, name) - p) < 4 * np.sqrt(p * (1 - p) / NUMBER) + 0.01
    assert abs(toys.CLs_obs - formula.CLs_obs) < 4 * toys.CLs_error + 0.01
    np.testing.assert_allclose(toys.CLs_exp[1:4], formula.CLs_exp[1:4], rtol=0.2, atol=0.005)
    # half of the experiments without signal have no excess, the others the chi-square distribution
    q = toy_statistics(0.0, model, model.vector({"mu": 0.0}), jax.random.key(1), number=NUMBER, test_stat="q0")
    for quantile in (0.5, 0.84, 0.95):
        fraction = (q > norm.ppf(quantile) ** 2).mean()
        assert abs(fraction - (1 - quantile)) < 4 * np.sqrt(quantile * (1 - quantile) / NUMBER) + 0.01


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_batches_leave_nothing_out(size):
    np.testing.assert_array_equal(in_batches(lambda x: 2 * x, np.arange(7), size=size), 2 * np.arange(7))
