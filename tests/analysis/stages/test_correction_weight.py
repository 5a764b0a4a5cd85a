"""Official corrections as weights, event by event beside plain Awkward and correctionlib."""

from __future__ import annotations

import dataclasses

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Events, Hard, Parameter, Parameters, Soft
from hepgrad.analysis.corrections import Correction
from hepgrad.analysis.stages import CorrectionWeight, ObjectSelection, Table, WordVariation, btag_shape, by_bins
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
        concerned = jets.hadronFlavour == 4
        concerned = concerned if flavours == "c" else ~concerned if flavours == "others" else concerned | True

        def factor(jets, word):
            return per_event(theirs, [word, jets.hadronFlavour, abs(jets.eta), jets.pt, jets.btagDeepFlavB])

        return ak.prod(factor(jets[concerned], word), axis=1) * ak.prod(factor(jets[~concerned], "central"), axis=1)

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


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
def test_between_bins_the_soft_reading_is_smooth():
    inputs = [{"name": name, "type": kind} for name, kind in (("kind", "string"), ("pt", "real"), ("abseta", "real"))]
    content = [1.0, 2.0, 4.0, 5.0, 7.0, 8.0]
    bins = {
        "nodetype": "multibinning",
        "inputs": ["pt", "abseta"],
        "edges": [[20, 40, 60, 80], [0, 1, 2]],
        "flow": "clamp",
    }
    words = [
        {"key": key, "value": {**bins, "content": [f * x for x in content]}} for key, f in (("sf", 1), ("up", 1.1))
    ]
    tree = {"nodetype": "category", "input": "kind", "content": words}
    ours = Correction.from_dict({"name": "c", "inputs": inputs, "data": tree, "output": {"name": "w", "type": "real"}})
    points = {"pt": [30.0, 50.0, 70.0], "abseta": [0.5, 1.5]}
    variation = [WordVariation("u", "up", "sf")]
    given = {"pt": "pt", "abseta": "abs(eta)"}
    stage = CorrectionWeight(ours, given, "Muon", "kind", "sf", variation, between=points, name="sf")
    assert hash(stage)
    pt, eta = np.array([[25.0, 36.0, 45.0, 90.0], [0.2, -0.8, 1.3, -1.7]])

    def weights(pt, reading):
        muons = rg.zip({"pt": rg.singletons(pt), "eta": rg.singletons(jnp.asarray(eta))})
        events = stage(Events.of(rg.RecordArray({"Muon": muons}), jnp.ones(4)), CUTS.cuts(reading))
        return events.weight, events.sf_u_up

    table = Table([[20, 40, 60, 80], [0, 1, 2]], np.reshape(content, (3, 2)))
    soft, up = weights(jnp.asarray(pt), Soft())
    np.testing.assert_allclose(soft, table(jnp.asarray(pt), jnp.asarray(abs(eta))), rtol=1e-12)
    np.testing.assert_allclose(up, 1.1, rtol=1e-12)
    np.testing.assert_array_equal(weights(jnp.asarray(pt), Hard())[0], [1, 1, 5, 8])

    def total(pt):
        return jnp.sum(weights(pt, Soft())[0] ** 2)

    numeric = [(total(jnp.asarray(pt + d)) - total(jnp.asarray(pt - d))) / 2e-5 for d in 1e-5 * np.eye(4)]
    np.testing.assert_allclose(jax.grad(total)(jnp.asarray(pt)), numeric, rtol=1e-6, atol=1e-8)
    for wrong in ({"pt": [30.0]}, {"pt": [30.0, 20.0]}, {"kind": [1.0, 2.0]}, {"mass": [1.0, 2.0]}):
        with pytest.raises(ValueError, match="can be smooth between at least two increasing points"):
            CorrectionWeight(ours, given, "Muon", "kind", "sf", between=wrong)


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
