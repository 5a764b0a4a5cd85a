"""Official corrections as weights, event by event beside plain Awkward and correctionlib."""

from __future__ import annotations

import dataclasses

import awkward as ak
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Hard, Parameter, Parameters, Soft
from hepgrad.analysis.stages import CorrectionWeight, ObjectSelection, WordVariation, btag_shape, by_bins
from hepgrad.analysis.systematics import shared

from .official import both, events_of, per_event, sample

pytestmark = pytest.mark.usefixtures("quick_compilation")

CUTS = Parameters(pt=Parameter(30.0, bounds=(20, 80), width=5.0))
EVENTS = sample()


def test_shape_of_a_b_tag(shared_data, run):
    words = ("central", "up_hf", "down_hf", "up_cferr1", "down_cferr1")
    ours, theirs = both(shared_data, "btagging", "deepJet_shape", words)
    stage = btag_shape(ours)
    assert [each.name for each in stage.variations] == [
        *("lf", "hf", "hfstats1", "hfstats2", "lfstats1", "lfstats2", "cferr1", "cferr2")
    ]
    kept = [each for each in stage.variations if each.name in ("hf", "cferr1")]
    stage = CorrectionWeight(ours, stage.inputs, "Jet", "systematic", "central", kept, name="btag")
    select = ObjectSelection("Jet", ["pt > cut.pt", "abs(eta) < 2.5"])
    events = run([select, stage], events_of(EVENTS), CUTS, Hard())
    jets = EVENTS.Jet[(EVENTS.Jet.pt > 30) & (abs(EVENTS.Jet.eta) < 2.5)]

    def weight(word, flavours):
        chosen = jets.hadronFlavour == 4
        chosen = chosen if flavours == "c" else ~chosen if flavours == "others" else chosen | True

        def factor(jets, word):
            return per_event(theirs, [word, jets.hadronFlavour, abs(jets.eta), jets.pt, jets.btagDeepFlavB])

        return ak.prod(factor(jets[chosen], word), axis=1) * ak.prod(factor(jets[~chosen], "central"), axis=1)

    central = ak.to_numpy(weight("central", "all"))
    np.testing.assert_allclose(events.weight, central, rtol=1e-5)
    for source, (name, flavours) in zip(stage.sources(["ttbar"]), (("hf", "others"), ("cferr1", "c")), strict=True):
        assert (source.name, source.processes) == (f"btag_{name}", ("ttbar",))
        for word, factor in (("up", source.up), ("down", source.down)):
            varied = weight(f"{word}_{name}", flavours)
            np.testing.assert_allclose(events.weight * np.asarray(factor(events)), varied, rtol=1e-5)


def test_leptons_and_pile_up(shared_data, run):
    ours, theirs = both(shared_data, "muon_Z", "NUM_TightID_DEN_TrackerMuons")
    inputs = {"year": "2018_UL", "abseta": "abs(eta)", "pt": "pt"}
    word = WordVariation("id", "systup", "systdown")
    muon = CorrectionWeight(ours, inputs, "Muon", "ValType", "sf", [word], name="muon")
    pu, of_pu = both(shared_data, "puWeights", "Collisions18_UltraLegacy_goldenJSON")
    pileup = CorrectionWeight(
        pu,
        {"NumTrueInteractions": "Pileup.nTrueInt"},
        "",
        "weights",
        "nominal",
        [WordVariation("lumi", "up", "down")],
        name="pileup",
    )
    assert pileup.reads == ("Pileup_nTrueInt",)
    assert muon.makes == (("muon_id_up", ""), ("muon_id_down", ""))
    select = ObjectSelection("Muon", ["pt > 15", "abs(eta) < 2.4"])
    events = run([select, muon, pileup], events_of(EVENTS), CUTS, Hard())
    muons = EVENTS.Muon[(EVENTS.Muon.pt > 15) & (abs(EVENTS.Muon.eta) < 2.4)]
    number = ak.to_numpy(EVENTS.Pileup.nTrueInt).astype(float)

    def weight(kind, direction):
        return ak.prod(per_event(theirs, ["2018_UL", abs(muons.eta), muons.pt, kind]), axis=1) * of_pu.evaluate(
            number, direction
        )

    nominal = weight("sf", "nominal")
    np.testing.assert_allclose(events.weight, nominal, rtol=1e-5)
    (of_id,), (of_lumi,) = muon.sources(), pileup.sources()
    np.testing.assert_allclose(events.weight * of_id.up(events), weight("systup", "nominal"), rtol=1e-5)
    np.testing.assert_allclose(events.weight * of_lumi.down(events), weight("sf", "down"), rtol=1e-5)


def test_a_selected_object_outside_of_the_bins_stops_the_program(shared_data):
    ours, _ = both(shared_data, "muon_Z", "NUM_TightID_DEN_TrackerMuons")
    stage = CorrectionWeight(ours, {"year": "2018_UL", "abseta": "abs(eta)", "pt": "pt"}, "Muon", "ValType", "sf")
    everything = rg.checked(lambda events: stage(events, CUTS.cuts(Soft())).weight)
    with pytest.raises(ValueError, match="outside the bins, which end at"):
        everything(events_of(EVENTS))


def test_inputs_are_those_of_the_correction(shared_data):
    ours, _ = both(shared_data, "muon_Z", "NUM_TightID_DEN_TrackerMuons")
    with pytest.raises(ValueError, match=r"needs the inputs \['year', 'abseta', 'pt'\] besides 'ValType', got"):
        CorrectionWeight(ours, {"year": "2018_UL", "pt": "pt"}, "Muon", "ValType", "sf")


def test_a_trigger_with_statistics_by_bins(shared_data, run):
    ours, theirs = both(shared_data, "muon_Z", "NUM_IsoMu24_DEN_CutBasedIdTight_and_PFIsoTight")
    edges = {"abseta": [0.0, 1.2, 2.4], "pt": [26.0, 50.0, np.inf]}
    statistics = by_bins(WordVariation("stat", "systup", "systdown"), **edges)
    inputs = {"year": "2018_UL", "abseta": "abs(eta)", "pt": "pt"}
    stage = CorrectionWeight(ours, inputs, "Muon", "ValType", "sf", statistics, name="trigger")
    select = ObjectSelection("Muon", ["pt > 26", "abs(eta) < 2.4"])
    events = run([select, stage], events_of(EVENTS), CUTS, Hard())
    muons = EVENTS.Muon[(EVENTS.Muon.pt > 26) & (abs(EVENTS.Muon.eta) < 2.4)]

    def factor(word):
        return per_event(theirs, ["2018_UL", abs(muons.eta), muons.pt, word])

    np.testing.assert_allclose(events.weight, ak.prod(factor("sf"), axis=1), rtol=1e-5)
    places = [(i, j) for i in range(2) for j in range(2)]
    sources = stage.sources()
    assert [each.name for each in sources] == [f"trigger_stat_{i}_{j}" for i, j in places]
    moved = 0
    for (i, j), source in zip(places, sources, strict=True):
        (low, high), (soft, hard) = edges["abseta"][i : i + 2], edges["pt"][j : j + 2]
        here = (abs(muons.eta) >= low) & (abs(muons.eta) < high) & (muons.pt >= soft) & (muons.pt < hard)
        for word, side in (("systup", source.up), ("systdown", source.down)):
            varied = ak.prod(ak.where(here, factor(word), factor("sf")), axis=1)
            np.testing.assert_allclose(events.weight * side(events), varied, rtol=1e-5)
        moved += ak.any(ak.flatten(here))
    assert moved > 2
    # the same muons tell the trigger's and the identification's statistics
    together = shared("muon_stat", sources[0], dataclasses.replace(sources[0], name="id_stat"))
    assert {each.nuisances[0].name for each in together} == {"muon_stat"}
