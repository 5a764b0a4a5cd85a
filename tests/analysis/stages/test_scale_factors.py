"""Scale factors: the expectation over all outcomes, and the product over selected objects when hard."""

from __future__ import annotations

import itertools

import awkward as ak
import numpy as np
import pytest

from hepgrad.analysis import Hard, Soft
from hepgrad.analysis.stages import ObjectSelection, Observable, ScaleFactors, Table

pytestmark = pytest.mark.usefixtures("quick_compilation")

SELECTED = ObjectSelection("Jet", ["pt > cut.jet_pt"])
METHOD_1A = ScaleFactors("Jet", "sf", when="btag > cut.btag", otherwise="(1 - sf * eff) / (1 - eff)")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def expected_weight(jets, factor, probability) -> float:
    """Average a product over all outcomes of independent choices for each jet."""
    total = 0.0
    for outcome in itertools.product(*(range(len(probability(jet))) for jet in jets)):
        weight = 1.0
        for jet, choice in zip(jets, outcome, strict=True):
            weight *= probability(jet)[choice] * factor(jet)[choice]
        total += weight
    return total


def test_soft_factors_are_the_expectation(sample, events, cuts, run):
    """Three outcomes for each jet: not selected, selected and tagged, selected and not tagged."""
    weight = run([SELECTED, METHOD_1A], events, cuts, Soft()).weight

    def probability(jet):
        p, q = sigmoid((jet["pt"] - 30) / 5), sigmoid((jet["btag"] - 0.5) / 0.1)
        return 1 - p, p * q, p * (1 - q)

    def factor(jet):
        return 1, jet["sf"], (1 - jet["sf"] * jet["eff"]) / (1 - jet["eff"])

    for i in range(8):
        jets = ak.to_list(sample.Jet[i])
        np.testing.assert_allclose(weight[i], expected_weight(jets, factor, probability), rtol=1e-5)


def test_hard_factors_are_a_product(sample, events, cuts, run):
    jets = sample.Jet[sample.Jet.pt > 30]
    simple = run([SELECTED, ScaleFactors("Jet", "sf")], events, cuts, Hard()).weight
    np.testing.assert_allclose(simple, ak.prod(jets.sf, axis=1), rtol=1e-6)
    tagged = run([SELECTED, METHOD_1A], events, cuts, Hard()).weight
    factor = ak.where(jets.btag > 0.5, jets.sf, (1 - jets.sf * jets.eff) / (1 - jets.eff))
    np.testing.assert_allclose(tagged, ak.prod(factor, axis=1), rtol=1e-5)


def test_a_table_as_scale_factor(sample, events, cuts, run):
    table = Table([[20, 40, 60, 120], [0.0, 1.2, 2.4]], [[0.9, 0.8], [1.0, 0.95], [1.1, 1.05]])
    chain = [SELECTED, Observable("factor", ["pt", "abs(eta)"], table, collection="Jet"), ScaleFactors("Jet", "factor")]
    weight = run(chain, events, cuts, Hard()).weight
    jets = sample.Jet[sample.Jet.pt > 30]
    flat = np.asarray(table(ak.to_numpy(ak.flatten(jets.pt)), ak.to_numpy(ak.flatten(abs(jets.eta)))))
    np.testing.assert_allclose(weight, ak.prod(ak.unflatten(flat, ak.num(jets)), axis=1), rtol=1e-5)


def test_objects_that_are_not_selected_need_no_factor(sample, events_of, cuts, run):
    sample = ak.with_field(
        sample, ak.with_field(sample.Jet, ak.where(sample.Jet.pt > 30, sample.Jet.sf, np.nan), "sf"), "Jet"
    )
    weight = run([SELECTED, ScaleFactors("Jet", "sf")], events_of(sample), cuts, Hard()).weight
    assert np.isfinite(weight).all()


def test_a_missing_factor_of_a_selected_object_shows(sample, events_of, cuts, run):
    sample = ak.with_field(sample, ak.with_field(sample.Jet, ak.where(sample.Jet.pt > 60, np.nan, 1.0), "sf"), "Jet")
    weight = run([SELECTED, ScaleFactors("Jet", "sf")], events_of(sample), cuts, Hard()).weight
    np.testing.assert_array_equal(np.isnan(weight), ak.any(sample.Jet.pt > 60, axis=1))


@pytest.mark.parametrize("change", [{"factor": "sf >> 1"}, {"when": "sf >> 1"}, {"otherwise": "sf >> 1"}])
def test_expressions_are_checked(change):
    with pytest.raises(ValueError, match="not understood"):
        ScaleFactors("Jet", **{"factor": "sf", **change})
