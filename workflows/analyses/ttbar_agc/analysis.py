"""The top-pair cross-section of the Analysis Grand Challenge: one lepton, four jets, and one or more b-tagged jets.

Two channels share the selection. With exactly one b tag (4j1b) the observable is HT, the sum of the jets' pT; with two
or more (4j2b) it is the mass of the three jets, at least one of them b-tagged, whose sum has the largest pT: a hadronic
top decay. The number of top pairs in units of the expected one, ``ttbar_norm``, is fitted to both together. Cuts and
bins start at the values that the challenge fixes, a network that corrects the observables starts by correcting nothing,
and they end where the expected uncertainty of ``ttbar_norm`` is smallest.

The challenge's definition: https://agc.readthedocs.io/en/latest/taskbackground.html
"""

from __future__ import annotations

from pathlib import Path

from hepgrad.analysis import (
    Analysis,
    Anneal,
    Channel,
    Cuts,
    Edges,
    Events,
    Objects,
    Parameter,
    Parameters,
    Regular,
    Weights,
    stage,
)
from hepgrad.analysis.reconstruction import trijets
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.statistics.objectives import Sigma

from ...workflow import Process, Workflow
from ..correcting_network import correcting_weights
from .network import HIDDEN, MEAN, correction
from .skim import skim
from .systematics import SYSTEMATICS

HT = Regular(11, 110, 550, name="ht", label="$H_T$", unit="GeV")
M_TOP = Regular(11, 110, 550, name="m_top", label="$m_{bjj}$", unit="GeV")

# where the optimisation starts: the fixed cuts and bins of the challenge
PARAMETERS = Parameters(
    electron_pt=Parameter(30.0, bounds=(25, 60), width=2.0, unit="GeV", label=r"electron $p_T$ >"),
    muon_pt=Parameter(30.0, bounds=(25, 60), width=2.0, unit="GeV", label=r"muon $p_T$ >"),
    lepton_eta=Parameter(2.1, bounds=(1.2, 2.4), width=0.1, label=r"lepton $|\eta|$ <"),
    lepton_sip3d=Parameter(4.0, bounds=(2, 8), width=0.4, label="lepton impact-parameter significance <"),
    muon_iso=Parameter(0.15, bounds=(0.05, 0.4), width=0.02, label="muon relative isolation <"),
    jet_pt=Parameter(30.0, bounds=(25, 60), width=2.0, unit="GeV", label=r"jet $p_T$ >"),
    btag=Parameter(0.5, bounds=(0.2, 0.95), width=0.05, label="b tag >"),
    ht_bins=Edges(HT, narrowest=25.0, unit="GeV", label="bins of $H_T$"),
    m_top_bins=Edges(M_TOP, narrowest=25.0, unit="GeV", label="bins of $m_{bjj}$"),
    network=Weights(
        correcting_weights(len(MEAN), HIDDEN, (2,), seed=0), scale=0.3, description="correction of the observables"
    ),
)

JET_ETA = 2.4
TIGHT_ELECTRON = 4  # working point of `cutBased`
TIGHT_LEPTON_VETO = 4  # bit of `jetId`


@stage(
    reads=(
        *("Electron_pt", "Electron_eta", "Electron_cutBased", "Electron_sip3d"),
        *("Muon_pt", "Muon_eta", "Muon_tightId", "Muon_sip3d", "Muon_pfRelIso04_all"),
        *("Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass", "Jet_jetId"),
    ),
    makes=("Lepton",),
)
def objects(events: Events, cut: Cuts) -> Events:
    """Select electrons, muons and jets."""
    electrons, muons, jets = events.Electron, events.Muon, events.Jet
    electrons = electrons.select((electrons.pt > cut.electron_pt) & (abs(electrons.eta) < cut.lepton_eta))
    electrons = electrons.select((electrons.cutBased == TIGHT_ELECTRON) & (electrons.sip3d < cut.lepton_sip3d))
    muons = muons.select((muons.pt > cut.muon_pt) & (abs(muons.eta) < cut.lepton_eta))
    muons = muons.select(muons.tightId & (muons.sip3d < cut.lepton_sip3d) & (muons.pfRelIso04_all < cut.muon_iso))
    jets = jets.select((jets.pt > cut.jet_pt) & (abs(jets.eta) < JET_ETA))
    return events.with_field(
        Lepton=Objects.concatenate([electrons, muons], fields=["pt"]),
        Jet=jets.select(jets.jetId & TIGHT_LEPTON_VETO > 0),
    )


@stage(reads=("Jet_btagCSVV2",))
def selection(events: Events, cut: Cuts) -> Events:
    """Ask for exactly one lepton, four jets and a b tag, and divide events by the number of b tags."""
    tagged = events.Jet.select(events.Jet.btagCSVV2 > cut.btag)
    events = events.select(events.Lepton.exactly(1), "one lepton")
    events = events.select(events.Jet.at_least(4), "four jets")
    events = events.select(tagged.at_least(1), "a b-tagged jet")
    return events.categorise(**{"4j2b": tagged.at_least(2)}, rest="4j1b")


@stage(reads=("Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass", "Jet_btagCSVV2"), makes=("ht", "m_top"))
def reconstruction(events: Events, cut: Cuts) -> Events:
    """Add HT, and the mass of the hadronic top: of the three jets with a b tag among them whose sum has most pT."""
    # so many choices of three there are if the number of jets has a Poisson distribution; the skim leaves it narrower
    room = events.Jet.capacity**3 // (6 * len(events) ** 2) + 1
    tops = trijets(events.Jet, events.Jet.btagCSVV2 > cut.btag, capacity=room)
    return events.with_field(ht=events.Jet.sum("pt"), m_top=tops.leading("mass"))


# the alternative simulations of top pairs are templates only; they have the cross-section of the nominal one, because
# the rate is what is measured
PROCESSES = (
    Process("ttbar", label=r"$t\bar{t}$", signal=True),
    Process("wjets", label="W + jets"),
    Process("single_top_t_chan", label="single top, t-channel"),
    Process("single_top_s_chan", label="single top, s-channel"),
    Process("ttbar_scaleup", datasets=("ttbar:scaleup",), cross_section_of="ttbar"),
    Process("ttbar_scaledown", datasets=("ttbar:scaledown",), cross_section_of="ttbar"),
    Process("ttbar_PS_var", datasets=("ttbar:PS_var",), cross_section_of="ttbar"),
)

# top pairs are most of what is selected, so that their simulated statistics matter most
MODEL = TemplateModel(["ttbar"], SYSTEMATICS, parameter_of_interest="ttbar_norm", signal_statistics=["ttbar"])

TTBAR_AGC = Workflow(
    name="ttbar-agc",
    title="Top-pair cross-section of the Analysis Grand Challenge, lepton + jets, 13 TeV",
    analysis=Analysis(
        stages=[objects, selection, reconstruction, correction],
        channels=[
            Channel("4j1b", "ht", HT, region="4j1b", edges="ht_bins"),
            Channel("4j2b", "m_top", M_TOP, region="4j2b", edges="m_top_bins"),
        ],
        model=MODEL,
        objective=Sigma("ttbar_norm"),
    ),
    parameters=PARAMETERS,
    processes=PROCESSES,
    luminosity=3378.0,
    data=Path(__file__).parent / "events",
    steps=60,
    learning_rate=0.2,
    anneal=Anneal(1.0, 0.1),
    skim=skim,
)
