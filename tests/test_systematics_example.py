"""The example with everything: each template beside plain Awkward and correctionlib, and what `check` says of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import awkward as ak
import correctionlib
import jax
import jax.numpy as jnp
import lightgbm
import numpy as np
import pytest
import uproot

from examples import ttbar_systematics
from examples.ttbar_systematics import CUTS, JETS, POINTS, PROCESSES, SIMULATED, analysis, tag_efficiency
from hepgrad import ragged as rg
from hepgrad.analysis import Hard
from hepgrad.analysis.doctor.patient import Patient
from hepgrad.analysis.doctor.sources import examine_sources
from hepgrad.analysis.systematics import normal_by_event
from hepgrad.workflows import Fileset, load

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("x64")]

TAG, ALGORITHM = "Summer19UL18_V5_MC", "AK4PFchs"
EDGES = np.linspace(120, 760, 9)
BOOSTER = lightgbm.Booster(model_file=Path(ttbar_systematics.__file__).with_name("ttbar_tagger.txt"))


@pytest.fixture(scope="module")
def everything(shared_data):
    physics = analysis(shared_data / "corrections_cms2018ul")
    fileset = Fileset.load(shared_data / "pythia13tev")
    # the numbers of the shared events are too large for 32 bits
    with jax.enable_x64(True):
        data = load(fileset, PROCESSES, physics.reads, luminosity=100.0)
    return physics, (data.train, data.held_out)


@pytest.fixture(scope="module")
def reference(shared_data):
    """Return a function from a process and a variation to a histogram, without hepgrad."""
    folder = shared_data / "corrections_cms2018ul"
    sets = {
        name: correctionlib.CorrectionSet.from_file(str(folder / f"{name}.json.gz"))
        for name in ("muon_Z", "jet_jerc", "btagging", "puWeights")
    }

    def evaluated(correction, *arrays):
        first = next(each for each in arrays if not isinstance(each, str))
        flat = [x if isinstance(x, str) else ak.to_numpy(ak.flatten(x)) for x in arrays]
        flat = [x if isinstance(x, str) or x.dtype.kind == "i" else x.astype(float) for x in flat]
        return ak.unflatten(correction.evaluate(*flat), ak.num(first))

    def histogram(files, weight, jes=None, side=0, hem=False, jer=False, word=("", ""), efficiency=None):
        names = ("pt", "eta", "phi", "mass", "btagCSVV2", "hadronFlavour", "jetId")
        filled = np.zeros(8)
        for file in files:
            tree = uproot.open(file)["Events"]
            jets = ak.zip({name: tree[f"Jet_{name}"].array() for name in names})
            muons = ak.zip({n: tree[f"Muon_{n}"].array() for n in ("pt", "eta", "tightId", "pfRelIso04_all")})
            met = {name: ak.to_numpy(tree[f"MET_{name}"].array()) for name in ("pt", "phi")}
            pt = jets.pt
            if jes:
                pt = pt * (1 + side * evaluated(sets["jet_jerc"][f"{TAG}_{jes}_{ALGORITHM}"], jets.pt, jets.eta))
            if hem:
                here = (jets.pt > 15) & (jets.phi > -1.57) & (jets.phi < -0.87) & (jets.jetId & 2 > 0)
                lost = ak.where((jets.eta > -2.5) & (jets.eta < -1.3), 0.2, 0.0)
                lost = ak.where((jets.eta > -3.0) & (jets.eta <= -2.5), 0.35, lost)
                pt = pt * (1 - 0.65 * ak.where(here, lost, 0.0))
            if jer:
                width = evaluated(
                    sets["jet_jerc"]["Summer19UL18_JRV2_MC_PtResolution_AK4PFchs"],
                    jets.eta,
                    jets.pt,
                    20.0 + 0 * jets.pt,
                )
                random = normal_by_event(
                    jnp.asarray(tree["event"].array(library="np")), rg.from_awkward(jets.pt), seed=7
                )
                pt = pt * np.maximum(1 + rg.to_awkward(random) * width * np.sqrt(1.1**2 - 1), 0.01)
            x = met["pt"] * np.cos(met["phi"]) - ak.sum((pt - jets.pt) * np.cos(jets.phi), axis=1)
            y = met["pt"] * np.sin(met["phi"]) - ak.sum((pt - jets.pt) * np.sin(jets.phi), axis=1)
            jets = ak.with_field(jets, ak.values_astype(pt, np.float32), "pt")
            muons = muons[
                (muons.pt > 30) & (abs(muons.eta) < 2.4) & (muons.tightId > 0) & (muons.pfRelIso04_all < 0.15)
            ]
            jets = jets[(jets.pt > 20) & (abs(jets.eta) < 2.5)]
            interactions = 20 + 20 * tree["Generator_x1"].array(library="np").astype(float)
            factor = sets["puWeights"]["Collisions18_UltraLegacy_goldenJSON"].evaluate(
                interactions, word[1] if word[0] == "pileup_total" else "nominal"
            )
            for key, stage in (
                ("NUM_TightID_DEN_TrackerMuons", "muon_id"),
                ("NUM_IsoMu24_DEN_CutBasedIdTight_and_PFIsoTight", "trigger"),
            ):

                def scale(which, key=key, muons=muons):
                    return evaluated(sets["muon_Z"][key], "2018_UL", abs(muons.eta), muons.pt, which)

                each = scale("sf")
                if word[0] == "muon_id_syst" == f"{stage}_syst":
                    each = scale(word[1])
                elif word[0].startswith("trigger_syst") and stage == "trigger":
                    each = ak.where((muons.pt >= 60) == word[0].endswith("1"), scale(word[1]), each)
                factor = factor * ak.to_numpy(ak.prod(each, axis=1))

            def tagged(jets_of, which):
                return evaluated(
                    sets["btagging"]["deepJet_shape"],
                    which,
                    jets_of.hadronFlavour,
                    abs(jets_of.eta),
                    jets_of.pt,
                    jets_of.btagCSVV2,
                )

            def shape_weight(jets):
                is_c = jets.hadronFlavour == 4
                varied = (is_c if "cferr" in word[1] else ~is_c) if word[0].startswith("btag") else is_c & ~is_c
                kinds = ((jets[varied], word[1]), (jets[~varied], "central"))
                return np.prod(
                    [ak.to_numpy(ak.prod(tagged(*each), axis=1)) for each in kinds if ak.sum(ak.num(each[0]))], axis=0
                )

            def weight_at_point(jets):
                scales = {}
                for kind, method in (("light", "incl"), ("bc", "comb")):
                    # a jet of the other kind is asked about as one of this, and not used
                    is_light = jets.hadronFlavour == 0
                    flavour = ak.where(is_light == (kind == "light"), jets.hadronFlavour, 0 if kind == "light" else 5)
                    which = word[1] if word[0] == f"btag_{kind}" else "central"
                    low, high = (
                        evaluated(sets["btagging"]["deepJet_wp"], which, method, p, flavour, abs(jets.eta), jets.pt)
                        for p in "MT"
                    )
                    scales[kind] = low + (high - low) * (0.5 - POINTS["M"]) / (POINTS["T"] - POINTS["M"])
                scale = ak.where(jets.hadronFlavour == 0, scales["light"], scales["bc"])
                places = [
                    np.searchsorted(edges, ak.to_numpy(ak.flatten(values)), side="right")
                    for edges, values in (([4, 5], jets.hadronFlavour), ([50, 100], jets.pt), ([1.5], abs(jets.eta)))
                ]
                simulated = ak.unflatten(efficiency[tuple(places)], ak.num(jets))
                untagged = (1 - scale * simulated) / (1 - simulated)
                return ak.to_numpy(ak.prod(ak.where(jets.btagCSVV2 > 0.5, scale, untagged), axis=1))

            factor = factor * (shape_weight(jets) if efficiency is None else weight_at_point(jets))
            sums = (ak.sum(ak.values_astype(jets.pt, float), axis=1), ak.num(jets), np.hypot(x, y))
            score = BOOSTER.predict(np.stack([ak.to_numpy(each) for each in sums], axis=-1))
            kept = jets[jets.pt > 30]
            passed = (
                (ak.num(muons) == 1)
                & (ak.num(kept) >= 4)
                & ak.any(kept.btagCSVV2 > 0.5, axis=1)
                & (np.hypot(x, y) > 25)
                & (score > 0.3)
            )
            ht = np.clip(ak.to_numpy(ak.sum(kept.pt, axis=1)), 120.001, 759.999)
            passed = ak.to_numpy(passed)
            each = weight * tree["genWeight"].array(library="np") * factor
            filled += np.histogram(ht[passed], EDGES, weights=each[passed])[0]
        return filled

    return histogram


def test_templates_are_those_of_brute_force(everything, reference, shared_data):
    physics, halves = everything
    # each half stands for the full luminosity
    parts = [physics.histograms(half, CUTS, Hard()) for half in halves]
    templates = jax.tree.map(lambda *x: np.mean(x, axis=0), *parts)
    data = halves[0]
    axis, index = physics.channels[0].axis, data.processes.index("ttbar")
    files = sorted((shared_data / "pythia13tev").glob("ttbar_10[1-6].root"))
    weight = float(np.max(np.where(np.asarray(data.process) == index, data.weight, 0))) / 2

    def same(found, **what):
        np.testing.assert_allclose(axis.select(found["ht"].sumw[index]), reference(files, weight, **what), rtol=2e-4)

    same(templates.nominal)
    for name in ("AbsoluteStat", "FlavorQCD", "RelativeJEREC1", "RelativeJERHF"):
        same(templates.up[f"jes_{name}"], jes=name, side=1)
        same(templates.down[f"jes_{name}"], jes=name, side=-1)
    same(templates.up["hem"], hem=True)
    same(templates.up["jer"], jer=True)
    for name, up, down in (
        ("muon_id_syst", "systup", "systdown"),
        ("trigger_syst_0", "systup", "systdown"),
        ("trigger_syst_1", "systup", "systdown"),
        ("pileup_total", "up", "down"),
        ("btag_hf", "up_hf", "down_hf"),
        ("btag_lfstats1", "up_lfstats1", "down_lfstats1"),
        ("btag_cferr1", "up_cferr1", "down_cferr1"),
    ):
        same(templates.up[name], word=(name, up))
        same(templates.down[name], word=(name, down))
    assert len(templates.up) == len(JETS) + 2 + 3 + 8 + 1 + 100


def counted(data):
    """Return the part of jets above 0.5 by flavour, pT and abs(eta), counted."""
    passed, every = np.zeros((2, 3, 3, 2))
    wanted = [data.processes.index(name) for name in SIMULATED]
    for block in range(data.blocks):
        columns, weight, process = jax.tree.map(lambda x, b=block: x[b], (data.columns, data.weight, data.process))
        jets = columns["Jet"]
        per_jet = rg.broadcast_arrays(jnp.where(jnp.isin(process, jnp.array(wanted)), weight, 0), jets.pt)[0]
        names = (jets.hadronFlavour, jets.pt, abs(jets.eta), jets.btagCSVV2, per_jet)
        *place, tag, each = (np.asarray(rg.to_awkward(rg.flatten(x)), float) for x in names)
        edges = ([0, 4, 5, 6], [20, 50, 100, np.inf], [0, 1.5, 2.5])
        every += np.histogramdd(place, edges, weights=each)[0]
        passed += np.histogramdd(place, edges, weights=each * (tag > 0.5))[0]
    return passed / every


def test_weights_at_the_working_point_are_those_of_brute_force(everything, reference, shared_data):
    _, halves = everything
    efficiency = tag_efficiency(shared_data / "pythia13tev")
    physics = analysis(shared_data / "corrections_cms2018ul", efficiency)
    of_tags = [each for each in physics.model.systematics if each.name.startswith("btag")]
    physics = dataclasses.replace(physics, model=dataclasses.replace(physics.model, systematics=of_tags))
    parts = [physics.histograms(half, CUTS, Hard()) for half in halves]
    templates = jax.tree.map(lambda *x: np.mean(x, axis=0), *parts)
    axis, index = physics.channels[0].axis, halves[0].processes.index("ttbar")
    files = sorted((shared_data / "pythia13tev").glob("ttbar_10[1-6].root"))
    weight = float(np.max(np.where(np.asarray(halves[0].process) == index, halves[0].weight, 0))) / 2
    table = counted(halves[0])
    assert list(templates.up) == ["btag_bc", "btag_light"]
    for found, *word in (
        (templates.nominal, "", ""),
        *((templates.up[name], name, "up") for name in templates.up),
        *((templates.down[name], name, "down") for name in templates.down),
    ):
        expected = reference(files, weight, word=word, efficiency=table)
        np.testing.assert_allclose(axis.select(found["ht"].sumw[index]), expected, rtol=2e-4)


def test_check_tells_which_sources_do_nothing(everything):
    physics, (data, _) = everything
    model = physics.model
    lost = [dataclasses.replace(s, processes=["ttbr"]) if s.name == "pdf" else s for s in model.systematics]
    wrong = dataclasses.replace(physics, model=dataclasses.replace(model, systematics=lost))
    told = [f.subject for f in examine_sources(Patient.of(wrong, data, CUTS)) if "does nothing" in f.what]
    # uncertainties of jets in the forward region, and one so small that it moves none of these events
    assert told == ["source jes_RelativeJEREC1", "source jes_RelativeJERHF", "source pdf"]
