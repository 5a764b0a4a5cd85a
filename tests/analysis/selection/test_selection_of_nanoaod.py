"""A rich selection on real and simulated NanoAOD: the hard reading equals plain Awkward code, event by event."""

from __future__ import annotations

import dataclasses

import awkward as ak
import jax
import numpy as np
import pytest
import uproot

from hepgrad.analysis import Analysis, Channel, CountingModel, Dataset, Hard, Parameter, Parameters, Regular
from hepgrad.analysis.stages import Cleaning, EventSelection, HadronicTop, ObjectSelection, Observable, TransverseMass

pytestmark = pytest.mark.thorough

CUTS = Parameters(
    lepton_pt=Parameter(20.0, bounds=(5, 60), unit="GeV"),
    isolation=Parameter(0.15, bounds=(0.05, 0.4)),
    jet_pt=Parameter(30.0, bounds=(15, 60), unit="GeV"),
    radius=Parameter(0.4, bounds=(0.2, 0.8)),
    btag=Parameter(0.4, bounds=(0.05, 0.95)),
    met=Parameter(15.0, bounds=(5, 100), unit="GeV"),
)


@dataclasses.dataclass(frozen=True)
class Sample:
    """A file, which of its b-tag discriminants is used, and thresholds (GeV) that some of its events pass."""

    path: str
    btag: str
    lepton_pt: float
    jet_pt: float


SAMPLES = [
    Sample("coffea/nano_tt_v12.root", "btagDeepFlavB", 20.0, 30.0),
    Sample("pythia13tev/ttbar_101.root", "btagCSVV2", 20.0, 30.0),
    Sample("skhep/nanoAOD_2015_CMS_Open_Data_ttbar.root", "btagCSVV2", 5.0, 16.0),
]
# each takes half a dozen seconds to compile
SLOW = SAMPLES[2:]


def analysis(btag: str) -> Analysis:
    tagged = f"{btag} > cut.btag"
    stages = [
        ObjectSelection("Muon", ["pt > cut.lepton_pt", "abs(eta) < 2.4", "tightId", "pfRelIso04_all < cut.isolation"]),
        ObjectSelection(
            "Electron", ["pt > cut.lepton_pt", "abs(eta) < 2.1", "cutBased >= 3", "pfRelIso03_all < cut.isolation"]
        ),
        ObjectSelection("Jet", ["pt > cut.jet_pt", "abs(eta) < 2.4", "jetId >= 2"]),
        Cleaning("Jet", "Muon", "cut.radius"),
        Cleaning("Jet", "Electron", "cut.radius"),
        ObjectSelection("Jet", [tagged], into="BJet"),
        Observable("ht", "sum(Jet.pt)"),
        Observable("lead_pt", "leading(Jet.pt)"),
        Observable("lead_eta", "leading(Jet.eta)"),
        Observable("fourth_pt", "nth(Jet.pt, 4)"),
        Observable("lead_b_mass", "leading(BJet.mass)"),
        Observable("best_btag", f"max(Jet.{btag})"),
        TransverseMass("m_t", "Muon"),
        HadronicTop("top", "Jet", tagged),
        Observable("top_mass", "leading(top.mass)"),
        Observable("top_pt", "leading(top.pt)"),
        EventSelection(
            [
                "num(Muon) >= 1 or num(Electron) >= 1",
                "num(Jet) >= 3",
                "num(BJet) >= 1",
                "num(BJet) <= 2",
                "MET.pt > cut.met",
            ]
        ),
    ]
    return Analysis(stages, [Channel("all", "ht", Regular(10, 0, 1000))], CountingModel(["ttbar"], 0.1))


def read(path, branches) -> ak.Array:
    with uproot.open(path) as file:
        flat = file["Events"].arrays(branches)
    collections: dict[str, dict[str, ak.Array]] = {}
    for branch in branches:
        collection, field = branch.split("_", 1)
        collections.setdefault(collection, {})[field] = flat[branch]
    return ak.zip({name: ak.zip(fields) for name, fields in collections.items()}, depth_limit=1)


def near(jets, leptons):
    """Which jets have a lepton within delta R < 0.4."""
    pairs = ak.cartesian({"jet": jets, "lepton": leptons}, nested=True)
    phi = (pairs.jet.phi - pairs.lepton.phi + np.pi) % (2 * np.pi) - np.pi
    return ak.any(np.hypot(pairs.jet.eta - pairs.lepton.eta, phi) < 0.4, axis=-1)


def first(x):
    return ak.to_numpy(ak.fill_none(ak.firsts(x), 0))


def by_hand(events, sample: Sample) -> dict[str, np.ndarray]:
    """The same selection in Awkward, by masks."""
    btag = sample.btag
    muons, electrons, jets = events.Muon, events.Electron, events.Jet
    muons = muons[
        (muons.pt > sample.lepton_pt) & (abs(muons.eta) < 2.4) & muons.tightId & (muons.pfRelIso04_all < 0.15)
    ]
    electrons = electrons[
        (electrons.pt > sample.lepton_pt)
        & (abs(electrons.eta) < 2.1)
        & (electrons.cutBased >= 3)
        & (electrons.pfRelIso03_all < 0.15)
    ]
    jets = jets[(jets.pt > sample.jet_pt) & (abs(jets.eta) < 2.4) & (jets.jetId >= 2)]
    jets = jets[~near(jets, muons) & ~near(jets, electrons)]
    bjets = jets[jets[btag] > 0.4]

    trios = ak.combinations(jets, 3)
    trios = trios[(trios["0"][btag] > 0.4) | (trios["1"][btag] > 0.4) | (trios["2"][btag] > 0.4)]
    members = [ak.values_astype(trios[i], np.float64) for i in "012"]
    px = sum(j.pt * np.cos(j.phi) for j in members)
    py = sum(j.pt * np.sin(j.phi) for j in members)
    pz = sum(j.pt * np.sinh(j.eta) for j in members)
    energy = sum(np.sqrt(j.mass**2 + (j.pt * np.cosh(j.eta)) ** 2) for j in members)
    best = ak.argmax(np.hypot(px, py), axis=1, keepdims=True)

    angle = muons.phi - events.MET.phi
    lepton = (ak.num(muons) > 0) | (ak.num(electrons) > 0)
    steps = [lepton, ak.num(jets) >= 3, ak.num(bjets) >= 1, ak.num(bjets) <= 2, events.MET.pt > 15]
    return {
        "steps": np.logical_and.accumulate([ak.to_numpy(step) for step in steps]),
        "muons": ak.to_numpy(ak.num(muons)),
        "electrons": ak.to_numpy(ak.num(electrons)),
        "jets": ak.to_numpy(ak.num(jets)),
        "bjets": ak.to_numpy(ak.num(bjets)),
        "ht": ak.to_numpy(ak.sum(jets.pt, axis=1)),
        "lead_pt": first(jets.pt),
        "lead_eta": first(jets.eta),
        "fourth_pt": first(jets.pt[:, 3:]),
        "lead_b_mass": first(bjets.mass),
        "best_btag": ak.to_numpy(ak.fill_none(ak.max(jets[btag], axis=1), 0)),
        "m_t": first(np.sqrt(2 * muons.pt * events.MET.pt * (1 - np.cos(angle)))),
        "top_mass": first(np.sqrt(energy**2 - px**2 - py**2 - pz**2)[best]),
        "top_pt": first(np.hypot(px, py)[best]),
        "top_members": np.stack([first(trios[i].pt[best]) for i in "012"]),
    }


def parameter(sample: Sample):
    marks = [pytest.mark.slow] if sample in SLOW else []
    return pytest.param(sample, marks=marks, id=sample.path.split("/")[-1])


@pytest.fixture(scope="module", params=map(parameter, SAMPLES))
def both(request, shared_data):
    """Return the events after the selection of the analysis, and the quantities by hand."""
    sample = request.param
    rich = analysis(sample.btag)
    events = read(shared_data / sample.path, rich.reads)
    data = Dataset.from_awkward({"ttbar": events}, {"ttbar": np.ones(len(events))}, block_size=len(events))
    block = jax.tree.map(lambda leaf: leaf[0], data.events)
    selected = jax.jit(lambda events, cuts: rich.select(events, cuts, Hard()))(
        block, CUTS.replace(lepton_pt=sample.lepton_pt, jet_pt=sample.jet_pt)
    )
    return selected, by_hand(events, sample)


def test_reads_what_it_needs_and_nothing_that_it_makes():
    reads = analysis("btagDeepFlavB").reads
    assert {"Muon_tightId", "Electron_cutBased", "Jet_jetId", "Jet_mass", "MET_phi"} < set(reads)
    assert not [branch for branch in reads if branch.startswith(("BJet", "top", "ht"))]


def test_every_step_keeps_the_same_events(both):
    selected, expected = both
    steps = np.stack(list(selected.cutflow.values()))
    np.testing.assert_array_equal(steps, expected["steps"])
    assert 0 < steps[-1].sum() < steps[0].sum() < steps.shape[1]
    np.testing.assert_array_equal(selected.probability, expected["steps"][-1])


def test_numbers_of_objects(both):
    selected, expected = both
    for collection, key in (("Muon", "muons"), ("Electron", "electrons"), ("Jet", "jets"), ("BJet", "bjets")):
        np.testing.assert_array_equal(getattr(selected, collection).count(), expected[key])
    assert min((expected["muons"] + expected["electrons"]).max(), expected["bjets"].max()) > 0


@pytest.mark.parametrize("name", ["lead_pt", "lead_eta", "fourth_pt", "lead_b_mass", "best_btag"])
def test_quantities_of_one_object_are_the_same_to_the_bit(both, name):
    selected, expected = both
    np.testing.assert_array_equal(getattr(selected, name), expected[name])


def test_sums_and_masses_are_the_same_to_rounding(both):
    """Other orders of summation and other formulas; float32 here, float64 by hand."""
    selected, expected = both
    np.testing.assert_allclose(selected.ht, expected["ht"], rtol=1e-6)
    np.testing.assert_allclose(selected.m_t, expected["m_t"], rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(selected.top_mass, expected["top_mass"], rtol=1e-5)
    np.testing.assert_allclose(selected.top_pt, expected["top_pt"], rtol=1e-5)


def test_the_same_three_jets_are_the_top_candidate(both):
    selected, expected = both
    top = selected.top
    members = [
        top.with_field(member_pt=getattr(top, name).pt).leading("member_pt") for name in ("first", "second", "third")
    ]
    np.testing.assert_array_equal(np.stack(members), expected["top_members"])
