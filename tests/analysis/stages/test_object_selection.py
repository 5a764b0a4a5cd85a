"""Selections and cleaning do what the same lines in a function do."""

from __future__ import annotations

import numpy as np
import pytest

from hepgrad.analysis import Hard, Soft, stage
from hepgrad.analysis.stages import Cleaning, EventSelection, EventWeight, ObjectSelection, Observable
from hepgrad.analysis.stages.needs import needed_branches, needed_parameters

pytestmark = pytest.mark.usefixtures("quick_compilation")

CHAIN = [
    ObjectSelection("Muon", ["pt > cut.muon_pt", "isolation < 0.15"]),
    ObjectSelection("Jet", ["pt > cut.jet_pt", "abs(eta) < cut.jet_eta"]),
    Cleaning("Jet", "Muon", "cut.radius"),
    ObjectSelection("Jet", ["btag > cut.btag"], into="BJet"),
    Observable("log_pt", "log(pt)", collection="Jet"),
    Observable("ht", "sum(Jet.pt)"),
    EventWeight("pileup"),
    EventSelection(["num(Muon) == 1", "num(BJet) >= 1", "MET.pt > cut.met"]),
]


@stage(reads=["Muon_pt", "Jet_pt", "MET_pt"])
def by_hand(events, cut):
    muons, jets = events.Muon, events.Jet
    muons = muons.select((muons.pt > cut.muon_pt) & (muons.isolation < 0.15))
    jets = jets.select((jets.pt > cut.jet_pt) & (abs(jets.eta) < cut.jet_eta)).without_overlap(muons, cut.radius)
    bjets = jets.select(jets.btag > cut.btag)
    events = (
        events.select(muons.exactly(1), "muon").select(bjets.at_least(1), "b").select(events.MET.pt > cut.met, "met")
    )
    return events.with_field(ht=jets.sum("pt"), bjets=bjets.count())


def test_a_chain_is_the_function(events, cuts, run):
    chain, function = (run(stages, events, cuts, Soft()) for stages in (CHAIN, [by_hand]))
    np.testing.assert_allclose(chain.probability, function.probability, rtol=1e-6)
    np.testing.assert_allclose(chain.ht, function.ht, rtol=1e-6)
    np.testing.assert_allclose(chain.BJet.count(), function.bjets, rtol=1e-6)
    np.testing.assert_allclose(chain.weight, events.pileup)
    np.testing.assert_allclose(list(chain.cutflow.values()), list(function.cutflow.values()), rtol=1e-6)
    assert list(chain.cutflow) == ["num(Muon) == 1", "num(BJet) >= 1", "MET.pt > cut.met"]


def test_a_new_collection_leaves_the_original_one(events, cuts, run):
    selected = run([ObjectSelection("Jet", ["pt > 1000"], into="Hard")], events, cuts, Hard())
    assert selected.Hard.count().sum() == 0
    np.testing.assert_array_equal(selected.Jet.count(), events.Jet.count())


def test_what_a_chain_needs():
    assert list(needed_branches(CHAIN)) == [
        *("Muon_pt", "Muon_isolation", "Jet_pt", "Jet_eta", "Jet_phi", "Muon_eta", "Muon_phi", "Jet_btag"),
        *("pileup", "MET_pt"),
    ]
    assert needed_parameters(CHAIN) == {
        "muon_pt": "Muon selection",
        "jet_pt": "Jet selection",
        "jet_eta": "Jet selection",
        "radius": "Jet cleaning against Muon",
        "btag": "BJet selection",
        "met": "event selection",
    }


def test_stages_are_compared_by_what_they_say():
    same = ObjectSelection("Jet", ("pt > cut.jet_pt", "abs(eta) < cut.jet_eta"))
    assert same == CHAIN[1] and hash(same) == hash(CHAIN[1])
    assert same != CHAIN[3]
    assert len({stage.name for stage in CHAIN}) == len(CHAIN)


def test_errors_come_when_the_stage_is_written():
    with pytest.raises(ValueError, match="'pt >> 3'"):
        ObjectSelection("Jet", ["pt >> 3"])
    with pytest.raises(ValueError, match="not with a parameter"):
        EventSelection(["num(Jet) >= cut.n"])
    with pytest.raises(TypeError, match=r"\['pt > 3'\]"):
        ObjectSelection("Jet", "pt > 3")
    with pytest.raises(ValueError, match="say by `function` what to make of pt, eta"):
        Observable("x", ["pt", "eta"], collection="Jet")


def test_numbers_are_no_conditions(events, cuts, run):
    with pytest.raises(TypeError, match="needs a comparison or booleans"):
        run([ObjectSelection("Jet", ["pt"])], events, cuts, Hard())
    with pytest.raises(TypeError, match="one pass per event"):
        run([EventSelection(["Jet.pt > 30"])], events, cuts, Hard())
