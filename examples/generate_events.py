"""Generate the embedded events of two workflows: the Z'(2 TeV) -> t tbar search, and the t tbar cross-section.

Every sample is generated with Pythia 8 at leading order (13 TeV), passed through a small detector emulation that
smears particles, clustered with anti-kT 0.4 and 0.8 jets by FastJet, skimmed, and written as one ROOT file with a
NanoAOD-like ``Events`` tree. ``fileset.json`` next to the files holds what a normalisation needs: an event counts

    xsec_pb * luminosity * genWeight / sumw_total,

where ``sumw_total`` runs over *every* generated event, kept or not. The same command gives the same events again.

    python examples/generate_events.py zprime --output workflows/analyses/zprime/events
    python examples/generate_events.py ttbar-agc --output workflows/analyses/ttbar_agc/events

The detector is an emulation: the data card next to the files lists its resolutions, efficiencies and mistag rates.
"""

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import awkward as ak
import numpy as np
import uproot

Table = dict[str, np.ndarray]  # columns of equal length; the column "event" is ascending

COMMON_SETTINGS = "Beams:eCM=13000. PDF:pSet=13 PartonLevel:MPI=off Print:quiet=on Random:setSeed=on"
BATCH = 400  # events clustered together
INVISIBLE = {12, 14, 16, 18}
PROMPT_MOTHERS = {6, 15, 23, 24, 32}
MUON_MASS, ELECTRON_MASS, PION_MASS = 0.10566, 0.000511, 0.13957

# The skims: looser than any selection the optimiser may choose, so that soft cuts see both sides of each threshold.
SKIM_MUON_PT, SKIM_MUON_ISOLATION, SKIM_FATJET_PT, SKIM_MET = 25.0, 0.5, 350.0, 15.0
SKIM_LEPTON_PT, SKIM_LEPTON_ETA, SKIM_JETS, SKIM_BTAG = 20.0, 2.4, 4, 0.1


@dataclass(frozen=True)
class Sample:
    """One process: its Pythia settings, how many events to generate, and an optional benchmark cross-section.

    A sample that simulates a process in another way is a variation of that process in ``fileset.json``.
    """

    number: int
    events: int
    settings: str  # separated by blanks
    benchmark_xsec_pb: float | None = None
    process: str = ""  # that of the sample's name by default
    variation: str = "nominal"


def pt_biased(minimum: float, power: float) -> str:
    """Settings for pT-hat > minimum, generated (pT-hat / 400 GeV)^power times as often and weighted by the inverse."""
    bias = f"PhaseSpace:bias2Selection=on PhaseSpace:bias2SelectionPow={power} PhaseSpace:bias2SelectionRef=400."
    return f" PhaseSpace:pTHatMin={minimum} {bias}"


def other_scales(factor: float) -> str:
    """Settings for renormalisation and factorisation scales multiplied by the root of a factor."""
    names = ("SigmaProcess:renorm", "SigmaProcess:factor", "SpaceShower:renorm", "TimeShower:renorm")
    return "".join(f" {name}MultFac={factor}" for name in names)


ZPRIME = "NewGaugeBoson:ffbar2gmZZprime=on Zprime:gmZmode=3 32:m0=2000. 32:mMin=1000. 32:mMax=3000."
TTBAR = "Top:gg2ttbar=on Top:qqbar2ttbar=on SpaceShower:pTmaxMatch=1"  # no shower jets harder than the top quarks
WJETS = "WeakBosonAndParton:qqbar2Wg=on WeakBosonAndParton:qg2Wq=on"
ZJETS = "WeakBosonAndParton:qqbar2gmZg=on WeakBosonAndParton:qg2gmZq=on 23:mMin=50."
SINGLE_TOP = "Top:qq2tq(t:W)=on"
VINCIA = " PartonShowers:model=2"  # another parton shower
ZPRIME_SAMPLES = {
    "zprime_2000": Sample(1, 52_000, ZPRIME + " 32:onMode=off 32:onIfAny=6", benchmark_xsec_pb=0.13),
    "ttbar": Sample(2, 330_000, TTBAR + pt_biased(150.0, 4.5)),
    "wjets": Sample(3, 240_000, WJETS + pt_biased(250.0, 3.5)),
    "single_top_t_chan": Sample(4, 45_000, SINGLE_TOP + pt_biased(200.0, 3.0)),
    "zjets": Sample(5, 100_000, ZJETS + pt_biased(250.0, 3.0)),
}
TTBAR_SAMPLES = {
    "ttbar": Sample(11, 150_400, TTBAR),
    "ttbar_scaleup": Sample(12, 47_000, TTBAR + other_scales(4.0), process="ttbar", variation="scaleup"),
    "ttbar_scaledown": Sample(13, 47_000, TTBAR + other_scales(0.25), process="ttbar", variation="scaledown"),
    "ttbar_PS_var": Sample(14, 28_200, TTBAR + VINCIA, process="ttbar", variation="PS_var"),
    "wjets": Sample(15, 1_320_000, WJETS + pt_biased(80.0, 1.0)),
    "single_top_s_chan": Sample(16, 36_000, "Top:ffbar2tqbar(s:W)=on"),
    "single_top_t_chan": Sample(17, 144_000, SINGLE_TOP),
}


def optional_import(name: str) -> ModuleType:
    """Import a package of the ``generate`` extra, or say how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SystemExit(f"{name} is needed to generate events: pip install 'hepgrad[generate]'") from error


# ---------------------------------------------------------------------------------------------------- generation


def make_generator(settings: str, seed: int, *hooks: Any) -> Any:
    """An initialised Pythia with the common settings, the sample's settings and user hooks."""
    pythia = optional_import("pythia8mc").Pythia("", False)
    for hook in hooks:
        pythia.setUserHooksPtr(hook)
    for setting in f"{COMMON_SETTINGS} Random:seed={seed} {settings}".split():
        if not pythia.readString(setting):
            raise ValueError(f"Pythia does not know the setting {setting!r}")
    if not pythia.init():
        raise RuntimeError("Pythia could not be initialised")
    return pythia


def cross_section_pb(settings: str, seed: int, events: int = 50_000) -> float:
    """The generator's cross-section, from hard processes without showers: fast, and untouched by the filter."""
    pythia = make_generator(f"{settings} PartonLevel:all=off HadronLevel:all=off", seed)
    for _ in range(events):
        pythia.next()
    return pythia.infoPython().sigmaGen() * 1e9  # mb -> pb


def make_lepton_filter(kinds: tuple[int, ...]) -> Any:
    """A Pythia hook that drops, before the shower, events without a lepton of these kinds or a tau in the hard process.

    It adds up the number and the weights of all events, dropped or not. Pythia's own ``weightSum`` and ``sigmaGen``
    would count the accepted events only.
    """
    pythia8 = optional_import("pythia8mc")

    class LeptonFilter(pythia8.UserHooks):
        def __init__(self) -> None:
            pythia8.UserHooks.__init__(self)
            self.pythia: Any = None
            self.generated = 0
            self.sum_of_weights = 0.0

        def canVetoProcessLevel(self) -> bool:
            return True

        def doVetoProcessLevel(self, process: Any) -> bool:
            self.generated += 1
            self.sum_of_weights += self.pythia.infoPython().weight()
            return not any(p.isFinal() and p.idAbs() in (*kinds, 15) for p in process)

    return LeptonFilter()


@dataclass
class GeneratedBatch:
    """What the detector emulation needs to know of a batch of events, as rows that start with the event's index."""

    particles: list[tuple] = field(default_factory=list)  # event, pdg id, is prompt lepton, px, py, pz, energy
    hadrons: list[tuple] = field(default_factory=list)  # event, flavour, eta, phi of b and c hadrons
    quarks: list[tuple] = field(default_factory=list)  # event, number of the top, eta, phi: hadronic tops' decays
    weights: list[float] = field(default_factory=list)

    def append(self, pythia: Any, kinds: tuple[int, ...], min_pt: float) -> None:
        """Add Pythia's current event, unless it has no lepton of these kinds that could pass a skim in pT."""
        if not any(p.idAbs() in kinds and p.isFinal() and p.pT() > 0.8 * min_pt for p in pythia.event):
            return
        index = len(self.weights)
        self.weights.append(pythia.infoPython().weight())
        for p in pythia.event:
            if p.isFinal():
                if p.idAbs() not in INVISIBLE:
                    prompt = p.idAbs() in (11, 13) and is_prompt(pythia.event, p)
                    self.particles.append((index, p.id(), prompt, p.px(), p.py(), p.pz(), p.e()))
            elif p.status() < -80 and p.pT() > 5.0 and (flavour := heavy_flavour(p.idAbs())):
                self.hadrons.append((index, flavour, p.eta(), p.phi()))
        for top, quark in hadronic_top_quarks(pythia.process):
            self.quarks.append((index, top, quark.eta(), quark.phi()))


def is_prompt(record: Any, particle: Any) -> bool:
    """Whether a lepton comes from a W, Z, Z', top or tau decay, seen through its own radiating copies."""
    mother = record[particle.mother1()]
    while mother.idAbs() in (11, 13):
        mother = record[mother.mother1()]
    return mother.idAbs() in PROMPT_MOTHERS


def heavy_flavour(pdg_id: int) -> int:
    """5 for a bottom hadron, 4 for a charm hadron, 0 otherwise, from the quark digits of its PDG number."""
    digits = (pdg_id // 100 % 10, pdg_id // 1000 % 10) if 400 < pdg_id < 6000 else ()
    return 5 if 5 in digits else 4 if 4 in digits else 0


def hadronic_top_quarks(process: Any) -> Iterator[tuple[int, Any]]:
    """The b and the two W quarks of every hadronically decaying top: (number of the top in the record, quark)."""
    for number in range(process.size()):
        if process[number].idAbs() != 6 or process[number].isFinal():
            continue
        daughters = [process[d] for d in process[number].daughterList()]
        decays = [process[d] for w in daughters if w.idAbs() == 24 for d in w.daughterList()]
        if decays and decays[0].isQuark():
            yield from ((number, quark) for quark in [*decays, *(q for q in daughters if q.idAbs() != 24)])


# ----------------------------------------------------------------------------------------------- detector emulation


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


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """float32 with the mantissa rounded to a number of bits, as NanoAOD does, so that it compresses."""
    dropped = 23 - bits
    integers = values.astype(np.float32).view(np.uint32)
    return ((integers + np.uint32(1 << (dropped - 1))) & np.uint32(~((1 << dropped) - 1) & 0xFFFFFFFF)).view(np.float32)


PRECISION = {"pt": 11, "eta": 10, "phi": 10, "mass": 9, "btagCSVV2": 10, "particleNet_TvsQCD": 10,
             "pfRelIso04_all": 9, "sip3d": 9, "MET_pt": 11, "MET_phi": 10}  # fmt: skip
INTEGERS = {"hadronFlavour": np.uint8, "charge": np.int32, "cutBased": np.int32, "tightId": np.bool_, "jetId": np.int32}


def jagged(data: Table, columns: str, events: np.ndarray) -> ak.Array:
    """The named columns as an awkward array of records, one list for each of the given events."""
    keep = np.isin(data["event"], events)
    counts = np.bincount(np.searchsorted(events, data["event"][keep]), minlength=len(events))
    fields = {}
    for name in columns.split():
        column = data[name][keep]
        column = rounded(column, PRECISION[name]) if name in PRECISION else column.astype(INTEGERS[name])
        fields[name] = ak.unflatten(column, counts)
    return ak.zip(fields)


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


def event_columns(batch: GeneratedBatch, met: tuple[np.ndarray, np.ndarray], kept: np.ndarray) -> dict[str, Any]:
    """The branches with one number per event."""
    return {
        "MET_pt": rounded(met[0][kept], PRECISION["MET_pt"]),
        "MET_phi": rounded(met[1][kept], PRECISION["MET_phi"]),
        "genWeight": rounded(np.asarray(batch.weights)[kept], 12),
    }


def reconstruct_boosted(rng: np.random.Generator, batch: GeneratedBatch) -> dict[str, Any] | None:
    """Emulate the detector for a batch and return the branches of the events with a muon and a fat jet."""
    particles, muons, electrons, met = reconstruct_basics(rng, batch)
    good_muon = (muons["pt"] > SKIM_MUON_PT) & (muons["isolation"] < SKIM_MUON_ISOLATION)
    kept = np.intersect1d(muons["event"][good_muon], np.flatnonzero(met[0] > SKIM_MET))
    in_jets = to_cluster(particles, (muons, electrons), kept)
    if not in_jets.any():
        return None
    fat_jets = reconstruct_fat_jets(rng, take(particles, in_jets), batch)
    kept = np.intersect1d(kept, fat_jets["event"][fat_jets["pt"] > SKIM_FATJET_PT])
    in_jets &= np.isin(particles["event"], kept)
    if not in_jets.any():
        return None
    jets = reconstruct_jets(rng, take(particles, in_jets), batch)
    identify(rng, muons, electrons)
    return {
        "Muon": jagged(muons, "pt eta phi mass charge pfRelIso04_all tightId", kept),
        "Electron": jagged(electrons, "pt eta phi mass charge cutBased", kept),
        "Jet": jagged(jets, "pt eta phi mass btagCSVV2 hadronFlavour", kept),
        "FatJet": jagged(fat_jets, "pt eta phi mass particleNet_TvsQCD", kept),
        **event_columns(batch, met, kept),
    }


def reconstruct_resolved(rng: np.random.Generator, batch: GeneratedBatch) -> dict[str, Any] | None:
    """Emulate the detector for a batch and return the branches of the events with a lepton and four jets."""
    particles, muons, electrons, met = reconstruct_basics(rng, batch)
    identify(rng, muons, electrons)
    for leptons in (muons, electrons):
        significance = np.abs(rng.normal(0.0, 1.1, len(leptons["pt"])))
        leptons["sip3d"] = np.where(leptons["prompt"], significance, rng.exponential(8.0, len(significance)))
    candidates = [muons["tightId"] & (muons["isolation"] < SKIM_MUON_ISOLATION), electrons["cutBased"] == 4]
    good = [
        leptons["event"][chosen & (leptons["pt"] > SKIM_LEPTON_PT) & (np.abs(leptons["eta"]) < SKIM_LEPTON_ETA)]
        for leptons, chosen in zip((muons, electrons), candidates, strict=True)
    ]
    in_jets = to_cluster(particles, (muons, electrons), np.concatenate(good))
    if not in_jets.any():
        return None
    jets = reconstruct_jets(rng, take(particles, in_jets), batch)
    jets["jetId"] = np.where(rng.random(len(jets["pt"])) < 0.985, 6, 0)
    usable = take(jets, (jets["jetId"] == 6) & (np.abs(jets["eta"]) < 2.4))
    kept = np.flatnonzero(np.bincount(usable["event"], minlength=len(batch.weights)) >= SKIM_JETS)
    kept = np.intersect1d(kept, usable["event"][usable["btagCSVV2"] > SKIM_BTAG])
    if not len(kept):
        return None
    return {
        "Muon": jagged(muons, "pt eta phi mass charge pfRelIso04_all tightId sip3d", kept),
        "Electron": jagged(electrons, "pt eta phi mass charge cutBased sip3d", kept),
        "Jet": jagged(jets, "pt eta phi mass btagCSVV2 hadronFlavour jetId", kept),
        **event_columns(batch, met, kept),
    }


@dataclass(frozen=True)
class Campaign:
    """The samples of one workflow, and which of their events are kept."""

    samples: dict[str, Sample]
    lepton_kinds: tuple[int, ...]  # PDG numbers of the leptons that are asked for
    min_lepton_pt: float  # GeV
    reconstruct: Callable[[np.random.Generator, GeneratedBatch], dict[str, Any] | None]


CAMPAIGNS = {
    "zprime": Campaign(ZPRIME_SAMPLES, (13,), SKIM_MUON_PT, reconstruct_boosted),
    "ttbar-agc": Campaign(TTBAR_SAMPLES, (11, 13), SKIM_LEPTON_PT, reconstruct_resolved),
}


def write_tree(path: Path, branches: dict[str, Any]) -> None:
    """Write the branches as one TTree; the shorter ``file["Events"] = ...`` would write an RNTuple."""
    types = {k: v.dtype if isinstance(v, np.ndarray) else ak.type(v).content for k, v in branches.items()}
    with uproot.recreate(path, compression=uproot.LZMA(9)) as file:
        file.mktree("Events", types, title="simulated events").extend(branches)


def generate(campaign: Campaign, name: str, sample: Sample, seed: int, events: int, output: Path) -> dict[str, Any]:
    """Generate, reconstruct, skim and write one sample; returns its entry of ``fileset.json``."""
    seed += sample.number
    rng = np.random.default_rng(seed)
    lepton_filter = make_lepton_filter(campaign.lepton_kinds)
    pythia = lepton_filter.pythia = make_generator(sample.settings, seed, lepton_filter)
    kept: list[dict[str, Any]] = []
    started = reported = time.monotonic()
    while lepton_filter.generated < events:
        batch = GeneratedBatch()
        while len(batch.weights) < BATCH and lepton_filter.generated < events:
            if pythia.next():
                batch.append(pythia, campaign.lepton_kinds, campaign.min_lepton_pt)
        branches = campaign.reconstruct(rng, batch) if batch.weights else None
        if branches is not None:
            kept.append(branches)
        if time.monotonic() - reported > 5.0 or lepton_filter.generated >= events:
            reported = time.monotonic()
            done = f"{lepton_filter.generated}/{events} generated, {sum(len(b['MET_pt']) for b in kept)} kept"
            print(f"{name}: {done}, {reported - started:.0f} s", file=sys.stderr, flush=True)
    lepton_filter.pythia = None  # a reference cycle through C++ would never be freed

    if not kept:
        raise SystemExit(f"{name}: none of {events} events passed the skim; generate more")
    branches = {key: ak.concatenate([b[key] for b in kept]) for key in kept[0]}
    branches = {key: value if value.ndim > 1 else value.to_numpy() for key, value in branches.items()}
    entries = len(branches["MET_pt"])
    branches["event"] = sample.number * 100_000 + np.arange(1, entries + 1, dtype=np.uint64)
    branches["run"] = np.ones(entries, np.uint32)
    write_tree(output / f"{name}.root", branches)

    sumw = lepton_filter.sum_of_weights
    file_entry = {"path": f"{name}.root", "nevts": entries, "sumw": sumw, "seed": seed}
    generator_xsec = cross_section_pb(sample.settings, seed)
    return {
        "files": [file_entry],
        "nevts_total": entries,
        "nevts_generated": lepton_filter.generated,
        "sumw_total": sumw,
        "xsec_pb": sample.benchmark_xsec_pb or generator_xsec,
        "xsec_pb_generator": generator_xsec,
        "pythia_settings": f"{COMMON_SETTINGS} {sample.settings}".split(),
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Generate the embedded events of a workflow.")
    parser.add_argument("workflow", choices=CAMPAIGNS, help="whose events")
    parser.add_argument("--output", type=Path, required=True, help="folder for the files")
    parser.add_argument("--samples", nargs="+", metavar="NAME", help="default: all of the workflow")
    parser.add_argument("--seed", type=int, default=20240, help="base seed; each sample adds its number")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of generated events")
    options = parser.parse_args(arguments)
    campaign = CAMPAIGNS[options.workflow]
    names = options.samples or list(campaign.samples)
    if unknown := sorted(set(names) - set(campaign.samples)):
        parser.error(f"{options.workflow} has no sample {unknown[0]!r}; it has {', '.join(campaign.samples)}")

    for package in ("pythia8mc", "fastjet", "vector"):
        optional_import(package)
    options.output.mkdir(parents=True, exist_ok=True)
    fileset_path = options.output / "fileset.json"
    for name in names:
        sample = campaign.samples[name]
        entry = generate(campaign, name, sample, options.seed, int(options.scale * sample.events), options.output)
        fileset = json.loads(fileset_path.read_text()) if fileset_path.exists() else {}
        fileset.setdefault(sample.process or name, {})[sample.variation] = entry
        ordered = {key: fileset[key] for key in campaign.samples if key in fileset}
        fileset_path.write_text(json.dumps(ordered, indent=1) + "\n")


if __name__ == "__main__":
    main()
