"""Reconstruction stages: textbook formulas, the mass of the W, and the functions of the kinematics that they call."""

from __future__ import annotations

import awkward as ak
import jax
import numpy as np
import pytest

from hepgrad.analysis import Hard, Soft
from hepgrad.analysis.kinematics import neutrino_from_w
from hepgrad.analysis.reconstruction import TopMasses, leading_momentum, top_pairs, trijets
from hepgrad.analysis.stages import EventSelection, HadronicTop, LeptonicW, ObjectSelection, TopPair, TransverseMass

pytestmark = pytest.mark.usefixtures("quick_compilation")

SELECTED = [ObjectSelection("Muon", ["pt > cut.muon_pt"]), ObjectSelection("Jet", ["pt > cut.jet_pt"])]
MASSES = TopMasses(20.0, 40.0, 40.0)


def test_transverse_mass_of_the_leading_lepton(sample, events, cuts, run):
    m_t = run([*SELECTED, TransverseMass("m_t", "Muon")], events, cuts, Hard()).m_t
    muons = sample.Muon[sample.Muon.pt > 25]
    expected = np.sqrt(2 * muons.pt * sample.MET.pt * (1 - np.cos(muons.phi - sample.MET.phi)))
    np.testing.assert_allclose(m_t, ak.fill_none(ak.firsts(expected), 0), rtol=1e-3, atol=1e-3)


def test_leptonic_w(sample, events, cuts, run):
    """Its transverse momentum is that of lepton and missing momentum; its mass the W's unless mT is larger."""
    chain = [
        *SELECTED,
        LeptonicW("W", "Muon"),
        TransverseMass("m_t", "Muon"),
        EventSelection(["num(Muon) >= 1", "W.pt > 0"]),
    ]
    events = run(chain, events, cuts, Hard())
    there = np.asarray(events.probability) == 1
    muon, met = ak.firsts(sample.Muon[sample.Muon.pt > 25]), sample.MET
    px, py = (muon.pt * f(muon.phi) + met.pt * f(met.phi) for f in (np.cos, np.sin))
    np.testing.assert_allclose(events.W.pt[there], np.hypot(px, py)[there], rtol=1e-4)
    solvable = there & (np.asarray(events.m_t) < 80)
    assert solvable.sum() > 5
    np.testing.assert_allclose(events.W.mass[solvable], 80.4, rtol=1e-3)


def by_hand(events, cut):
    jets = events.Jet
    tops = trijets(jets, jets.btag > cut.btag, max_objects=12, capacity=900)
    muon = leading_momentum(events.Muon)
    neutrino = neutrino_from_w(muon, events.MET.pt, events.MET.phi)
    tagged = jets.btag > cut.btag
    pairs = top_pairs(jets, muon, neutrino, MASSES, btagged=tagged, max_objects=12, capacity=900)
    return events.with_field(top=tops, pair=pairs.ordered_by("chi_square", ascending=True))


def in_stages(events, cut):
    for each in (
        HadronicTop("top", "Jet", "btag > cut.btag", max_objects=12, capacity=900),
        TopPair("pair", "Jet", "Muon", "btag > cut.btag", MASSES, max_objects=12, capacity=900),
    ):
        events = each(events, cut)
    return events


def test_top_quarks_are_the_program_of_the_functions(events, cuts):
    programs = [
        jax.make_jaxpr(lambda events, cuts, function=function: function(events, cuts.cuts(Soft())))(events, cuts)
        for function in (by_hand, in_stages)
    ]
    assert str(programs[0]) == str(programs[1])
