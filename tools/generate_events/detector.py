"""The detector emulation: particles are smeared, leptons found, jets clustered and tagged."""

import awkward as ak
import numpy as np

from .generation import GeneratedBatch, optional_import

Table = dict[str, np.ndarray]  # columns of equal length; the column "event" is ascending

MUON_MASS, ELECTRON_MASS, PION_MASS = 0.10566, 0.000511, 0.13957


def table(columns: str, rows: list[tuple]) -> Table:
    """Rows as named columns."""
    names = columns.split()
    values = np.asarray(rows, np.float64).reshape(-1, len(names))
    data = dict(zip(names, values.T, strict=True))
    data["event"] = data["event"].astype(np.int64)
    return data


def take(data: Table, index: np.ndarray) -> Table:
    """The rows at an index or where a mask holds."""
    return {name: column[index] for name, column in data.items()}


def by_falling_pt(data: Table) -> Table:
    """Rows ordered by event, then by falling pT."""
    return take(data, np.lexsort((-data["pt"], data["event"])))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Turn a normal deviate into a score between 0 and 1."""
    return 1.0 / (1.0 + np.exp(-x))


def pairs_of_same_event(a: Table, b: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs (i, j) of rows of a and b in the same event, and their distance Delta R."""
    first = np.searchsorted(b["event"], a["event"], side="left")
    count = np.searchsorted(b["event"], a["event"], side="right") - first
    i = np.repeat(np.arange(len(count)), count)
    j = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
    delta_phi = (a["phi"][i] - b["phi"][j] + np.pi) % (2 * np.pi) - np.pi
    return i, j, np.hypot(a["eta"][i] - b["eta"][j], delta_phi)


def reconstruct_particles(rng: np.random.Generator, batch: GeneratedBatch) -> Table:
    """Particles as a particle-flow detector would see them: smeared in pT, without those that are lost."""
    p = table("event id prompt px py pz energy", batch.particles)
    pt = np.maximum(np.hypot(p["px"], p["py"]), 1e-9)
    eta, energy, kind = np.arcsinh(p["pz"] / pt), p["energy"], np.abs(p["id"])
    tracked = np.isin(kind, [11, 13, 211, 321, 2212]) & (np.abs(eta) < 2.5)
    resolution = np.hypot(0.05, 0.9 / np.sqrt(np.maximum(energy, 0.5)))  # neutral hadrons and forward particles
    resolution[kind == 22] = np.hypot(0.01, 0.15 / np.maximum(energy, 0.1))[kind == 22]
    resolution[tracked] = (0.01 + 1.5e-4 * pt)[tracked]
    resolution[kind == 11] = np.hypot(0.02, 0.1 / np.sqrt(np.maximum(energy, 0.1)))[kind == 11]
    resolution[kind == 13] = (0.012 + 6e-5 * pt)[kind == 13]
    response = np.clip(1.0 + resolution * rng.standard_normal(len(pt)), 0.05, 3.0)
    lost_track = tracked & (kind > 100) & (rng.random(len(pt)) > 0.97)
    seen = (np.abs(eta) < 5.0) & (pt > np.where(tracked, 0.3, 0.05)) & ~lost_track
    columns = {"event": p["event"], "id": p["id"], "prompt": p["prompt"] > 0}
    return take(columns | {"pt": pt * response, "eta": eta, "phi": np.arctan2(p["py"], p["px"])}, seen)


def reconstruct_leptons(
    rng: np.random.Generator, particles: Table, kind: int, min_pt: float, max_eta: float, efficiency: float, cone: float
) -> Table:
    """Muons (kind 13) or electrons (11) with their relative isolation and the index of their particle."""
    candidate = (np.abs(particles["id"]) == kind) & (particles["pt"] > min_pt) & (np.abs(particles["eta"]) < max_eta)
    index = np.flatnonzero(candidate)
    index = index[rng.random(len(index)) < efficiency]
    leptons = take(particles, index) | {"particle": index}
    i, j, distance = pairs_of_same_event(leptons, particles)
    inside = (distance < cone) & (j != index[i]) & (particles["pt"][j] > 0.3)
    activity = np.bincount(i[inside], particles["pt"][j[inside]], len(index))
    pile_up_remnant = np.maximum(rng.normal(0.4, 0.5, len(index)), 0.0)
    leptons["isolation"] = (activity + pile_up_remnant) / leptons["pt"]
    leptons["charge"] = -np.sign(leptons["id"])
    return by_falling_pt(leptons)


def missing_momentum(rng: np.random.Generator, particles: Table, events: int) -> tuple[np.ndarray, np.ndarray]:
    """MET and its phi: minus the sum of all particles, with 10 GeV of noise per component."""
    px = particles["pt"] * np.cos(particles["phi"])
    py = particles["pt"] * np.sin(particles["phi"])
    x = rng.normal(0.0, 10.0, events) - np.bincount(particles["event"], px, events)
    y = rng.normal(0.0, 10.0, events) - np.bincount(particles["event"], py, events)
    return np.hypot(x, y), np.arctan2(y, x)


def cluster(particles: Table, radius: float, min_pt: float) -> Table:
    """Anti-kT jets of the particles."""
    fastjet, vector = optional_import("fastjet"), optional_import("vector")
    numbers, counts = np.unique(particles["event"], return_counts=True)
    mass = np.where(np.abs(particles["id"]) == 22, 0.0, PION_MASS)
    momenta = vector.arr({name: particles[name] for name in ("pt", "eta", "phi")} | {"mass": mass})
    columns = {"px": momenta.px, "py": momenta.py, "pz": momenta.pz, "E": momenta.E}
    jagged = ak.zip({name: ak.unflatten(c, counts) for name, c in columns.items()}, with_name="Momentum4D")
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, radius)
    jets = fastjet.ClusterSequence(jagged, definition).inclusive_jets(min_pt)
    event = np.repeat(numbers, ak.num(jets).to_numpy())
    flat = vector.arr({name: ak.flatten(jets[name]).to_numpy() for name in ("px", "py", "pz", "E")})
    return {"event": event, "pt": flat.pt, "eta": flat.eta, "phi": flat.phi, "mass": np.maximum(flat.mass, 0.0)}


def scaled(jets: Table, response: np.ndarray) -> Table:
    """Jets with their momentum multiplied by a response."""
    return jets | {"pt": jets["pt"] * response, "mass": jets["mass"] * response}


def reconstruct_jets(rng: np.random.Generator, particles: Table, batch: GeneratedBatch) -> Table:
    """AK4 jets with pT > 20 GeV, |eta| < 2.5, their flavour and an emulated b-tag score."""
    jets = cluster(particles, 0.4, 12.0)
    smearing = 1.0 + np.hypot(0.04, 4.0 / jets["pt"]) * rng.standard_normal(len(jets["pt"]))
    jets = scaled(jets, (1.04 + 0.6 / jets["pt"]) * np.clip(smearing, 0.2, 3.0))
    jets = by_falling_pt(take(jets, (jets["pt"] > 20.0) & (np.abs(jets["eta"]) < 2.5)))
    hadrons = table("event flavour eta phi", batch.hadrons)
    i, j, distance = pairs_of_same_event(jets, hadrons)
    flavour = np.zeros(len(jets["pt"]))
    np.maximum.at(flavour, i[distance < 0.4], hadrons["flavour"][j[distance < 0.4]])
    bottom, charm = flavour == 5, flavour == 4
    mean = np.select([bottom, charm], [2.8 - 0.0015 * np.maximum(jets["pt"] - 200.0, 0.0), -0.26], -1.81)
    width = np.select([bottom, charm], [3.0, 1.7], 1.55)
    score = sigmoid(mean + width * rng.standard_normal(len(flavour)))
    return jets | {"hadronFlavour": flavour, "btagCSVV2": score}


def reconstruct_fat_jets(rng: np.random.Generator, particles: Table, batch: GeneratedBatch) -> Table:
    """AK8 jets with pT > 200 GeV, |eta| < 2.5 and an emulated top-tag score."""
    jets = cluster(particles, 0.8, 170.0)
    jets = scaled(jets, 1.03 * np.clip(1.0 + 0.05 * rng.standard_normal(len(jets["pt"])), 0.3, 2.0))
    jets = by_falling_pt(take(jets, (jets["pt"] > 200.0) & (np.abs(jets["eta"]) < 2.5)))
    quarks = table("event top eta phi", batch.quarks)
    i, j, distance = pairs_of_same_event(jets, quarks)
    contained = np.zeros((len(jets["pt"]), 1 + int(max(quarks["top"], default=0))), int)
    np.add.at(contained, (i, quarks["top"][j].astype(int)), distance < 0.8)
    contained = contained.max(axis=1)
    top_like_mass = np.exp(-0.5 * ((jets["mass"] - 172.0) / 35.0) ** 2)
    mean = np.select([contained == 3, contained == 2], [2.8, -0.3], -1.3 + top_like_mass)
    width = np.where(contained >= 2, 2.0, 1.6)
    return jets | {"particleNet_TvsQCD": sigmoid(mean + width * rng.standard_normal(len(mean)))}


# --------------------------------------------------------------------------------------------------- skim and output


def reconstruct_basics(
    rng: np.random.Generator, batch: GeneratedBatch
) -> tuple[Table, Table, Table, tuple[np.ndarray, np.ndarray]]:
    """Emulate the detector for a batch, up to the clustering: particles, muons, electrons and missing momentum."""
    particles = reconstruct_particles(rng, batch)
    muons = reconstruct_leptons(rng, particles, 13, min_pt=10.0, max_eta=2.4, efficiency=0.96, cone=0.4)
    electrons = reconstruct_leptons(rng, particles, 11, min_pt=15.0, max_eta=2.5, efficiency=0.88, cone=0.3)
    return particles, muons, electrons, missing_momentum(rng, particles, len(batch.weights))


def to_cluster(particles: Table, leptons: tuple[Table, ...], events: np.ndarray) -> np.ndarray:
    """Which particles to cluster: those of the given events, but no leptons on their own, which are not jets."""
    inside = np.isin(particles["event"], events)
    for collection in leptons:
        inside[collection["particle"][collection["prompt"] & (collection["isolation"] < 0.4)]] = False
    return inside


def identify(rng: np.random.Generator, muons: Table, electrons: Table) -> None:
    """Add what identifies leptons, in place."""
    muons["mass"] = np.full(len(muons["pt"]), MUON_MASS)
    muons["tightId"] = rng.random(len(muons["pt"])) < np.where(muons["prompt"], 0.97, 0.6)
    muons["pfRelIso04_all"] = muons["isolation"]
    electrons["mass"] = np.full(len(electrons["pt"]), ELECTRON_MASS)
    genuine = electrons["prompt"] & (electrons["isolation"] < 0.15)
    tight = rng.random(len(genuine)) < np.where(genuine, 0.85, 0.1)
    electrons["cutBased"] = np.where(tight, 4, rng.integers(0, 4, len(genuine)))
