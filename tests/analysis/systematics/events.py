"""A small analysis with every kind of systematic uncertainty, and the events it runs on."""

from __future__ import annotations

import awkward as ak
import jax.numpy as jnp
import numpy as np

from hepgrad.analysis import Analysis, Channel, Dataset, Parameter, Parameters, Regular, stage
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.systematics import (
    AlternativeSample,
    EnergyResolution,
    EnergyScale,
    FreeNormalisation,
    KinematicVariation,
    Normalisation,
    WeightVariation,
)

CUTS = Parameters(
    jet_pt=Parameter(35.0, bounds=(20, 60), width=5.0, unit="GeV"),
    met=Parameter(40.0, bounds=(20, 150), width=10.0, unit="GeV"),
)
AXIS = Regular(3, 0, 300, name="ht")


@stage(reads=("Jet_pt", "Jet_phi", "MET_pt", "MET_phi"))
def select(events, cut):
    jets = events.Jet.select(events.Jet.pt > cut.jet_pt)
    return events.select(jets.at_least(1)).select(events.MET.pt > cut.met).with_field(ht=jets.sum("pt"))


def heavy(events):
    return 1 + 0.2 * jnp.tanh(events.ht / 100)


JES = EnergyScale("Jet", lambda jets: 0.02 + 1.0 / jets.pt)
JER = EnergyResolution("Jet", 0.1, scale_factor=1.1, uncertainty=0.1, seed=5)
SYSTEMATICS = [
    Normalisation("lumi", 0.02),
    FreeNormalisation("top_norm", ["top"]),
    WeightVariation("btag", up=heavy, processes=["top", "rest"]),
    WeightVariation("pdf", up=heavy, down=lambda events: 1 / heavy(events)),
    KinematicVariation("jes", JES),
    KinematicVariation("jer", JER, one_sided=True, reads=["event"]),
    AlternativeSample("generator", "top", up="top_other"),
]
ANALYSIS = Analysis(
    [select], [Channel("sr", "ht", AXIS)], TemplateModel(["signal"], SYSTEMATICS), objective="discovery"
)
PROCESSES = ("signal", "top", "rest", "top_other")


def samples(events=150, dtype=np.float32):
    rng = np.random.default_rng(8)

    def sample(process):
        counts = rng.poisson(2.5, events)
        jets = {
            "pt": rng.exponential(40 if process != "signal" else 60, counts.sum()) + 15,
            "phi": rng.uniform(-np.pi, np.pi, counts.sum()),
            "mass": rng.exponential(8, counts.sum()),
        }
        met = {"pt": rng.exponential(50, events), "phi": rng.uniform(-np.pi, np.pi, events)}
        columns = {
            "Jet": ak.zip({k: ak.unflatten(v.astype(dtype), counts) for k, v in jets.items()}),
            "MET": ak.zip({k: v.astype(dtype) for k, v in met.items()}),
            "event": rng.permutation(events).astype(np.int32),
        }
        return ak.zip(columns, depth_limit=1)

    return {process: sample(process) for process in PROCESSES}


def dataset(events, **options):
    weights = {name: np.full(len(sample), 0.1 if name == "signal" else 1.0) for name, sample in events.items()}
    return Dataset.from_awkward(events, weights, **{"block_size": 256, **options})
