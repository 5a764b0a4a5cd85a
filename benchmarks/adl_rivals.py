"""The queries of ``examples/adl`` in Awkward Array: by itself, and with the behaviours that coffea gives it.

Each returns what `examples.adl.queries` returns in the hard reading: the numbers that are plotted, by axis.
"""

from __future__ import annotations

import functools
import operator

import awkward as ak
import numpy as np

from examples.adl.queries import TOP_MASS, Z_MASS


def cartesian(particles):
    """Return px, py, pz and energy."""
    pt, eta, phi, mass = (particles[name] for name in ("pt", "eta", "phi", "mass"))
    return pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)


def system(*particles):
    """Return transverse momentum and mass of systems."""
    px, py, pz, energy = (sum(parts) for parts in zip(*map(cartesian, particles), strict=True))
    return np.sqrt(px**2 + py**2), np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0))


def masses_of_pairs(muons):
    return system(*ak.unzip(ak.combinations(muons, 2)))[1]


def distance(first, second):
    """Return delta R."""
    dphi = (first.phi - second.phi + np.pi) % (2 * np.pi) - np.pi
    return np.sqrt((first.eta - second.eta) ** 2 + dphi**2)


def transverse_mass(lepton, met):
    return np.sqrt(2 * lepton.pt * met.pt * (1 - np.cos(lepton.phi - met.phi)))


def query1(events, cut):
    return {"met": events.MET.pt}


def query2(events, cut):
    return {"pt": ak.flatten(events.Jet.pt)}


def query3(events, cut):
    return {"pt": ak.flatten(events.Jet.pt[abs(events.Jet.eta) < cut["jet_eta"]])}


def query4(events, cut):
    return {"met": events.MET.pt[ak.sum(events.Jet.pt > cut["jet_pt"], axis=1) >= 2]}


def query5(events, cut, system=system):
    first, second = ak.unzip(ak.combinations(events.Muon, 2))
    _, mass = system(first, second)
    good = (first.charge != second.charge) & (mass > cut["low"]) & (mass < cut["high"])
    return {"met": events.MET.pt[ak.any(good, axis=1)]}


def query6(events, cut, system=system):
    jets = events.Jet[events.Jet.pt > cut["any_jet_pt"]]
    jets = jets[ak.num(jets) >= 3]
    trios = ak.unzip(ak.combinations(jets, 3))
    pt, mass = system(*trios)
    btag = np.maximum(np.maximum(trios[0].btag, trios[1].btag), trios[2].btag)
    best = ak.argmin(abs(mass - TOP_MASS), axis=1, keepdims=True)
    return {"pt": ak.flatten(pt[best]), "btag": ak.flatten(btag[best])}


def query7(events, cut, distance=distance):
    jets = events.Jet[events.Jet.pt > cut["clean_jet_pt"]]
    for leptons in (events.Electron, events.Muon):
        jet, lepton = ak.unzip(ak.cartesian([jets, leptons[leptons.pt > cut["lepton_pt"]]], nested=True))
        jets = jets[~ak.any(distance(jet, lepton) < cut["radius"], axis=2)]
    return {"ht": ak.sum(jets.pt, axis=1)}


def query8(events, cut, system=system):
    electrons = ak.with_field(events.Electron, 11 * events.Electron.charge, "kind")
    muons = ak.with_field(events.Muon, 13 * events.Muon.charge, "kind")
    leptons = ak.concatenate([electrons, muons], axis=1)
    leptons = leptons[leptons.pt > cut["any_lepton_pt"]]
    leptons = leptons[ak.argsort(leptons.pt, axis=1, ascending=False)]
    leptons, met = leptons[ak.num(leptons) >= 3], events.MET[ak.num(leptons) >= 3]
    first, second = ak.unzip(ak.argcombinations(leptons, 2))
    same = leptons.kind[first] == -leptons.kind[second]
    first, second = first[same], second[same]
    _, mass = system(leptons[first], leptons[second])
    best = ak.argmin(abs(mass - Z_MASS), axis=1, keepdims=True)
    first, second = ak.firsts(first[best]), ak.firsts(second[best])
    some = ~ak.is_none(first)
    leptons, met, first, second = leptons[some], met[some], first[some], second[some]
    place = ak.local_index(leptons.pt)
    other = ak.firsts(leptons[(place != first) & (place != second)])
    return {"mt": transverse_mass(other, met)}


QUERIES = {query.__name__: query for query in (query1, query2, query3, query4, query5, query6, query7, query8)}


def with_vectors(events):
    """Return events whose particles have the behaviours of coffea."""
    from coffea.nanoevents.methods import vector

    def as_vectors(particles):
        parts = {name: particles[name] for name in particles.fields}
        return ak.zip(parts, with_name="PtEtaPhiMLorentzVector", behavior=vector.behavior)

    collections = {name: as_vectors(events[name]) for name in ("Electron", "Muon", "Jet")}
    return ak.zip({**collections, "MET": events.MET}, depth_limit=1)


def coffea_system(*particles):
    whole = functools.reduce(operator.add, particles)
    return whole.pt, whole.mass


def coffea_distance(first, second):
    return first.delta_r(second)


# the others are the same
WITH_COFFEA = QUERIES | {
    name: functools.partial(QUERIES[name], system=coffea_system) for name in ("query5", "query6", "query8")
}
WITH_COFFEA["query7"] = functools.partial(query7, distance=coffea_distance)
