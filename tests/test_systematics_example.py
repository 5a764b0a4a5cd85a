"""The example with everything: each template beside plain Awkward and correctionlib, and what `check` says of it."""

from __future__ import annotations

import dataclasses

import awkward as ak
import correctionlib
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import uproot

from examples.ttbar_systematics import CUTS, JETS, PROCESSES, analysis
from hepgrad import ragged as rg
from hepgrad.analysis import Hard
from hepgrad.analysis.doctor.patient import Patient
from hepgrad.analysis.doctor.sources import examine_sources
from hepgrad.analysis.systematics import normal_by_event
from hepgrad.workflows import Fileset, load

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("x64")]

TAG, ALGORITHM = "Summer19UL18_V5_MC", "AK4PFchs"
EDGES = np.linspace(120, 760, 9)


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

    def histogram(files, weight, jes=None, side=0, hem=False, jer=False, word=("", "", "")):
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

            is_c = jets.hadronFlavour == 4
            varied = (is_c if "cferr" in word[1] else ~is_c) if word[0].startswith("btag") else is_c & ~is_c
            kinds = ((jets[varied], word[1]), (jets[~varied], "central"))
            for jets_of, which in kinds:
                if ak.sum(ak.num(jets_of)):
                    factor = factor * ak.to_numpy(ak.prod(tagged(jets_of, which), axis=1))
            kept = jets[jets.pt > 30]
            passed = (
                (ak.num(muons) == 1)
                & (ak.num(kept) >= 4)
                & ak.any(kept.btagCSVV2 > 0.5, axis=1)
                & (np.hypot(x, y) > 25)
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
        same(templates.up[name], word=(name, up, ""))
        same(templates.down[name], word=(name, down, ""))
    assert len(templates.up) == len(JETS) + 2 + 3 + 8 + 1 + 100


def test_check_tells_which_sources_do_nothing(everything):
    physics, (data, _) = everything
    model = physics.model
    lost = [dataclasses.replace(s, processes=["ttbr"]) if s.name == "pdf" else s for s in model.systematics]
    wrong = dataclasses.replace(physics, model=dataclasses.replace(model, systematics=lost))
    told = [f.subject for f in examine_sources(Patient.of(wrong, data, CUTS)) if "does nothing" in f.what]
    # uncertainties of jets in the forward region, and one so small that it moves none of these events
    assert told == ["source jes_RelativeJEREC1", "source jes_RelativeJERHF", "source pdf"]
