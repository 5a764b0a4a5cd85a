"""The eight benchmark queries for analysis description languages of IRIS-HEP, in the order of their index.

A query returns what is plotted, by the name of its axis, and what has to pass for it: per event, or per jet in the
second and the third one. The same function is read hard and soft (`histograms`), so that every number that it compares
with has a derivative. Queries 6 and 8 compare with none; a threshold that is 0 at first gives them one.
"""

from __future__ import annotations

import numpy as np

import hepgrad.ragged as rg
from hepgrad.analysis import Objects, Parameter, Parameters, Pass, Regular, window
from hepgrad.analysis.kinematics import transverse_mass
from hepgrad.analysis.reconstruction import joint_systems, nearest_in_mass, systems

Z_MASS, TOP_MASS = 91.2, 172.5
# of a block for each of its jets, or leptons: room for all that there could be would take several times as long
TRIOS, PAIRS, OTHERS = 8, 4, 16

PARTICLE = ("pt", "eta", "phi", "mass")
LEPTON = (*PARTICLE, "charge")
EVERY = Pass(1.0)


def query1(events, cut):
    """Return the missing transverse momentum of all events."""
    return {"met": events.MET.pt}, EVERY


def query2(events, cut):
    """Return the pT of all jets."""
    return {"pt": events.Jet.pt}, EVERY


def query3(events, cut):
    """Return the pT of jets with |eta| < 1."""
    return {"pt": events.Jet.pt}, abs(events.Jet.eta) < cut.jet_eta


def query4(events, cut):
    """Return the missing transverse momentum of events with at least two jets with pT > 40 GeV."""
    return {"met": events.MET.pt}, events.Jet.select(events.Jet.pt > cut.jet_pt).at_least(2)


def query5(events, cut):
    """Return the missing transverse momentum of events with muons of opposite charge and a mass of 60 to 120 GeV."""
    pairs = systems(events.Muon, 2, capacity=PAIRS * events.Muon.capacity)
    pairs = pairs.select(pairs.first.charge != pairs.second.charge)
    return {"met": events.MET.pt}, pairs.select(window(pairs.mass, cut.low, cut.high)).at_least(1)


def query6(events, cut):
    """Return pT and largest b tag of the three jets whose mass is closest to 172.5 GeV."""
    jets = events.Jet.select(events.Jet.pt > cut.any_jet_pt)
    trios = systems(jets, 3, capacity=TRIOS * jets.capacity)
    btag = np.maximum(np.maximum(trios.first.btag, trios.second.btag), trios.third.btag)
    trios = nearest_in_mass(trios.with_field(btag=btag), TOP_MASS)
    return {"pt": trios.leading("pt"), "btag": trios.leading("btag")}, jets.at_least(3)


def query7(events, cut):
    """Return the sum of the pT of jets with pT > 30 GeV without a lepton of more than 10 GeV within 0.4."""
    jets = events.Jet.select(events.Jet.pt > cut.clean_jet_pt)
    for leptons in (events.Electron, events.Muon):
        near = leptons.select(leptons.pt > cut.lepton_pt)
        jets = jets.without_overlap(near, cut.radius, capacity=PAIRS * jets.capacity)
    return {"ht": jets.sum("pt")}, EVERY


def query8(events, cut):
    """Return the transverse mass of the leading lepton outside the pair of leptons that is nearest to a Z boson."""
    electrons, muons = events.Electron, events.Muon
    electrons = electrons.with_field(kind=11 * electrons.charge)
    leptons = Objects.concatenate([electrons, muons.with_field(kind=13 * muons.charge)], fields=[*PARTICLE, "kind"])
    leptons = leptons.select(leptons.pt > cut.any_lepton_pt).ordered_by("pt")
    leptons = leptons.with_field(place=rg.local_index(leptons.pt))
    pairs = systems(leptons, 2, capacity=PAIRS * leptons.capacity)
    pairs = pairs.select(pairs.first.kind == -pairs.second.kind)
    others = joint_systems(pairs, leptons, capacity=OTHERS * leptons.capacity)
    pair, other = others.first, others.second
    others = others.select((other.place != pair.first.place) & (other.place != pair.second.place))
    # of pairs with the same distance from the mass, the harder lepton comes first, as it did in its collection
    others = others.with_field(distance=abs(pair.mass - Z_MASS), mt=transverse_mass(other, events.MET))
    others = others.ordered_by("distance", ascending=True)
    return {"mt": others.leading("mt")}, leptons.at_least(3) & pairs.at_least(1)


QUERIES = {query.__name__: query for query in (query1, query2, query3, query4, query5, query6, query7, query8)}
COLUMNS = {"Electron": LEPTON, "Muon": LEPTON, "Jet": (*PARTICLE, "btag"), "MET": ("pt", "phi")}
BRANCHES = tuple(f"{name}_{field}" for name, fields in COLUMNS.items() for field in fields)
AXES = {
    "met": Regular(100, 0.0, 200.0, name="met", label="missing transverse momentum", unit="GeV"),
    "pt": Regular(100, 15.0, 215.0, name="pt", label="$p_T$", unit="GeV"),
    "btag": Regular(100, 0.0, 1.0, name="btag", label="b tag"),
    "ht": Regular(100, 15.0, 215.0, name="ht", label="$H_T$", unit="GeV"),
    "mt": Regular(100, 0.0, 250.0, name="mt", label="$m_T$", unit="GeV"),
}
CUTS = Parameters(
    jet_eta=Parameter(1.0, bounds=(0.5, 2.5), width=0.1),
    jet_pt=Parameter(40.0, bounds=(20, 80), width=4.0, unit="GeV"),
    low=Parameter(60.0, bounds=(40, 85), width=3.0, unit="GeV"),
    high=Parameter(120.0, bounds=(95, 150), width=3.0, unit="GeV"),
    any_jet_pt=Parameter(0.0, bounds=(0, 60), width=4.0, unit="GeV"),
    clean_jet_pt=Parameter(30.0, bounds=(20, 60), width=4.0, unit="GeV"),
    lepton_pt=Parameter(10.0, bounds=(5, 30), width=2.0, unit="GeV"),
    radius=Parameter(0.4, bounds=(0.2, 0.8), width=0.05),
    any_lepton_pt=Parameter(0.0, bounds=(0, 30), width=2.0, unit="GeV"),
)
