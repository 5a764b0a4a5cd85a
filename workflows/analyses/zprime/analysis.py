"""The search for a Z' that decays to top quarks: one muon, missing momentum and a fat jet; the observable is m(tt).

Events with a b-tagged jet and a fat jet that looks like a top quark are the signal region. The others are two control
regions that measure the backgrounds: with a b tag mostly top pairs, without one W + jets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hepgrad import ragged as rg
from hepgrad.analysis import Analysis, Anneal, Channel, Cuts, Events, Parameter, Parameters, Variable, Weights, stage
from hepgrad.analysis.kinematics import delta_r, neutrino_from_w
from hepgrad.analysis.reconstruction import leading_momentum
from hepgrad.analysis.statistics import TemplateModel

from ...workflow import Process, Workflow
from ..correcting_network import correcting_weights
from .network import HIDDEN, MEAN, top_score
from .systematics import SYSTEMATICS

# where the optimisation starts: textbook values for a boosted top-antitop pair with one muon
PARAMETERS = Parameters(
    muon_pt=Parameter(55.0, bounds=(30, 120), width=5.0, unit="GeV", label=r"muon $p_T$ >"),
    muon_eta=Parameter(2.4, bounds=(1.2, 2.4), width=0.1, label=r"muon $|\eta|$ <"),
    muon_iso=Parameter(0.15, bounds=(0.03, 0.4), width=0.02, label="muon relative isolation <"),
    jet_pt=Parameter(30.0, bounds=(25, 100), width=5.0, unit="GeV", label=r"jet $p_T$ >"),
    jet_eta=Parameter(2.4, bounds=(1.2, 2.4), width=0.1, label=r"jet $|\eta|$ <"),
    btag=Parameter(0.5, bounds=(0.1, 0.9), width=0.05, label="b tag >"),
    met=Parameter(50.0, bounds=(20, 200), width=10.0, unit="GeV", label=r"$p_T^{miss}$ >"),
    lepton_ht=Parameter(150.0, bounds=(100, 500), width=20.0, unit="GeV", label=r"muon $p_T$ + $p_T^{miss}$ >"),
    fatjet_pt=Parameter(500.0, bounds=(400, 800), width=25.0, unit="GeV", label=r"fat-jet $p_T$ >"),
    toptag=Parameter(0.5, bounds=(0.1, 0.95), width=0.05, label="top score >"),
    network=Weights(correcting_weights(len(MEAN), HIDDEN, seed=0), scale=0.3, description="correction of the top tag"),
)

# jets within this distance of the muon belong to the top quark that decays leptonically
LEPTONIC_SIDE = 2.0


@stage(
    reads=(
        *("Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_pfRelIso04_all"),
        *("Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass", "Jet_btagCSVV2"),
        *("FatJet_pt", "FatJet_eta", "FatJet_phi", "FatJet_mass"),
    )
)
def objects(events: Events, cut: Cuts) -> Events:
    """Select muons, jets and fat jets."""
    muons, jets, fatjets = events.Muon, events.Jet, events.FatJet
    return events.with_field(
        Muon=muons.select(
            (muons.pt > cut.muon_pt) & (abs(muons.eta) < cut.muon_eta) & (muons.pfRelIso04_all < cut.muon_iso)
        ),
        Jet=jets.select((jets.pt > cut.jet_pt) & (abs(jets.eta) < cut.jet_eta)),
        FatJet=fatjets.select(fatjets.pt > cut.fatjet_pt),
    )


@stage(reads=("MET_pt", "Jet_btagCSVV2"))
def selection(events: Events, cut: Cuts) -> Events:
    """Ask for exactly one muon, missing momentum and a fat jet, and divide events into regions."""
    events = events.select(events.Muon.exactly(1), "one muon")
    events = events.select(events.MET.pt > cut.met, "missing momentum")
    events = events.select(events.Muon.leading("pt") + events.MET.pt > cut.lepton_ht, "leptonic HT")
    events = events.select(events.FatJet.at_least(1), "a fat jet")
    tagged = events.Jet.select(events.Jet.btagCSVV2 > cut.btag).at_least(1)
    return events.categorise(
        signal_region=tagged & (events.top_score > cut.toptag), top_control=tagged, rest="w_control"
    )


@stage(
    reads=(
        *("Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass"),
        *("Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass"),
        *("FatJet_pt", "FatJet_eta", "FatJet_phi", "FatJet_mass"),
        *("MET_pt", "MET_phi"),
    )
)
def reconstruction(events: Events, cut: Cuts) -> Events:
    """Reconstruct the mass of the top pair: muon, neutrino, the leading jet on the muon's side, the leading fat jet."""
    jets, muons = events.Jet, events.Muon.leading_first()
    muon_eta, muon_phi = (rg.firsts(x, fill_value=0.0) for x in (muons.eta, muons.phi))
    near = rg.apply(delta_r, jets.eta, jets.phi, muon_eta, muon_phi) < LEPTONIC_SIDE
    muon = leading_momentum(events.Muon)
    neutrino = neutrino_from_w(muon, events.MET.pt, events.MET.phi)
    jet = leading_momentum(jets.select(near), fill_value=0.0)
    fatjet = leading_momentum(events.FatJet)
    return events.with_field(m_tt=(muon + neutrino + jet + fatjet).mass)


PROCESSES = (
    Process("zprime", datasets=("zprime_2000",), label="Z' (2 TeV)", signal=True),
    Process("ttbar", datasets=("ttbar",), label=r"$t\bar{t}$"),
    Process("wjets", datasets=("wjets",), label="W + jets"),
    Process("single_top", datasets=("single_top_t_chan",), label="single top"),
    Process("zjets", datasets=("zjets",), label="Z + jets"),
)

M_TT = Variable(
    np.array([600, 1000, 1200, 1400, 1600, 1800, 2000, 2300, 3000]),
    name="m_tt",
    label=r"$m_{t\bar{t}}$",
    unit="GeV",
    flow="fold",
)
# wide enough that simulated events fill every bin
M_TT_CONTROL = Variable(np.array([600, 1000, 1400, 1800, 3000]), name="m_tt", label=M_TT.label, unit="GeV", flow="fold")

ZPRIME = Workflow(
    name="zprime",
    title="Search for Z' to top antitop, muon + jets, 13 TeV",
    analysis=Analysis(
        stages=[objects, top_score, selection, reconstruction],
        channels=[
            Channel("signal_region", "m_tt", M_TT, bandwidth=100.0, region="signal_region"),
            Channel("top_control", "m_tt", M_TT_CONTROL, bandwidth=100.0, region="top_control"),
            Channel("w_control", "m_tt", M_TT_CONTROL, bandwidth=100.0, region="w_control"),
        ],
        model=TemplateModel(["zprime"], SYSTEMATICS),
        objective="discovery",
    ),
    parameters=PARAMETERS,
    processes=PROCESSES,
    luminosity=36_300.0,
    data=Path(__file__).parent / "events",
    steps=40,
    learning_rate=0.3,
    weight_decay=0.2,
    anneal=Anneal(1.0, 0.2),
    # the shipped events are one block, for which there is less to compile than for several
    block_size=32_768,
)
