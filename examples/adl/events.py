"""Events for the queries: from files like NanoAOD, or generated from a seed."""

from __future__ import annotations

import awkward as ak
import numpy as np

from hepgrad.analysis import Dataset
from hepgrad.workflows import Layout, read_events

from .queries import BRANCHES, Z_MASS

MASSES = {"Electron": 0.000511, "Muon": 0.10566}


def from_file(path, btag="Jet_btagCSVV2"):
    """Return the events of a file, with the discriminant of b jets that it has."""
    return read_events(path, BRANCHES, layout=Layout(branches={"Jet_btag": btag}))


def generate(number, seed=1):
    """Return events with jets, leptons and missing momentum; every fifth has two leptons from a Z boson."""
    rng = np.random.default_rng(seed)
    decays = rng.choice(["Electron", "Muon", ""], number, p=[0.1, 0.1, 0.8])
    leptons = {name: leptons_of(rng, decays == name, mass) for name, mass in MASSES.items()}
    counts = rng.poisson(4, number)
    jets = {"pt": 15 + rng.exponential(35, counts.sum()), **directions(rng, counts.sum())}
    jets |= {"mass": 0.15 * jets["pt"], "btag": rng.beta(0.7, 1.5, counts.sum())}
    met = {"pt": rng.exponential(35, number), "phi": rng.uniform(-np.pi, np.pi, number)}
    met = ak.zip({name: values.astype(np.float32) for name, values in met.items()})
    return ak.zip({**leptons, "Jet": collection(jets, counts), "MET": met}, depth_limit=1)


def leptons_of(rng, decays, mass):
    """Return leptons of any origin, and those of opposite charge of each boson that decays into them."""
    counts, number = rng.poisson(0.4, len(decays)), decays.sum()
    alone = {"pt": 5 + rng.exponential(25, counts.sum()), **directions(rng, counts.sum())}
    alone |= {"charge": rng.choice([-1, 1], counts.sum())}
    # a boson without transverse momentum: leptons back to back, whose common boost adds to both pseudorapidities
    cosine, phi, boost = rng.uniform(-1, 1, number), rng.uniform(-np.pi, np.pi, number), rng.normal(0, 0.7, number)
    pt = rng.normal(Z_MASS, 2.5, number) / 2 * np.sqrt(1 - cosine**2)
    sides = {"eta": boost + np.arctanh(cosine), "phi": phi}, {"eta": boost - np.arctanh(cosine), "phi": phi + np.pi}
    pairs = {name: np.stack([side[name] for side in sides], axis=1).ravel() for name in ("eta", "phi")}
    pairs |= {"pt": np.repeat(pt, 2) * rng.normal(1, 0.02, 2 * number), "charge": np.tile([1, -1], number)}
    both = [(alone, counts), (pairs, 2 * decays)]
    found = [collection({**each, "mass": np.full(len(each["pt"]), mass)}, n) for each, n in both]
    found = ak.concatenate(found, axis=1)
    return found[ak.argsort(found.pt, axis=1, ascending=False)]


def directions(rng, number):
    """Return pseudorapidities and azimuths."""
    return {"eta": rng.normal(0, 1.6, number), "phi": rng.uniform(-np.pi, np.pi, number)}


def collection(fields, counts):
    """Return lists of records, in single precision but for the charge."""
    kinds = {name: np.int32 if name == "charge" else np.float32 for name in fields}
    return ak.zip({name: ak.unflatten(values.astype(kinds[name]), counts) for name, values in fields.items()})


def dataset(events, block_size=None):
    """Return events in blocks, each of them with weight 1."""
    return Dataset.from_awkward({"events": events}, {"events": np.ones(len(events))}, block_size=block_size)
