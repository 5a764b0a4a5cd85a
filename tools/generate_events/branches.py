"""Which events are kept, and the branches they are written with."""

from typing import Any

import awkward as ak
import numpy as np

from .detector import Table, identify, reconstruct_basics, reconstruct_fat_jets, reconstruct_jets, take, to_cluster
from .generation import GeneratedBatch

# The skims: looser than any selection the optimiser may choose, so that soft cuts see both sides of each threshold.
SKIM_MUON_PT, SKIM_MUON_ISOLATION, SKIM_FATJET_PT, SKIM_MET = 25.0, 0.5, 350.0, 15.0
SKIM_LEPTON_PT, SKIM_LEPTON_ETA, SKIM_JETS, SKIM_BTAG = 20.0, 2.4, 4, 0.1

PRECISION = {"pt": 11, "eta": 10, "phi": 10, "mass": 9, "btagCSVV2": 10, "particleNet_TvsQCD": 10,
             "pfRelIso04_all": 9, "sip3d": 9, "MET_pt": 11, "MET_phi": 10}  # fmt: skip
INTEGERS = {"hadronFlavour": np.uint8, "charge": np.int32, "cutBased": np.int32, "tightId": np.bool_, "jetId": np.int32}


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """float32 with the mantissa rounded to a number of bits, as NanoAOD does, so that it compresses."""
    dropped = 23 - bits
    integers = values.astype(np.float32).view(np.uint32)
    return ((integers + np.uint32(1 << (dropped - 1))) & np.uint32(~((1 << dropped) - 1) & 0xFFFFFFFF)).view(np.float32)


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
        leptons["event"][candidate & (leptons["pt"] > SKIM_LEPTON_PT) & (np.abs(leptons["eta"]) < SKIM_LEPTON_ETA)]
        for leptons, candidate in zip((muons, electrons), candidates, strict=True)
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
