"""Optimise the cuts of the Z' search together with the weights of a small neural network.

Run it as ``python examples/network_cuts.py``. The selection is written in stages from the box, only the mass of the top
pair is the workflow's own function. The network's score replaces the cut on the missing momentum, there is one region,
and the background has a normalisation uncertainty of 10 %.
"""

from __future__ import annotations

import jax
import optax

from hepgrad.analysis import (
    Analysis,
    Anneal,
    Channel,
    CountingModel,
    Parameter,
    Parameters,
    Result,
    Split,
    Weights,
    optimize,
)
from hepgrad.analysis.stages import EventSelection, LeptonicW, ObjectSelection, Observable, Perceptron, Score
from hepgrad.workflows import Fileset, load
from hepgrad.workflows.analyses.zprime import ZPRIME
from hepgrad.workflows.analyses.zprime.analysis import M_TT, reconstruction

OBJECTS = [
    ObjectSelection("Muon", ["pt > cut.muon_pt", "abs(eta) < cut.muon_eta", "pfRelIso04_all < cut.muon_iso"]),
    ObjectSelection("Jet", ["pt > cut.jet_pt", "abs(eta) < cut.jet_eta"]),
    ObjectSelection("Jet", ["btagCSVV2 > cut.btag"], into="BJet"),
    ObjectSelection("FatJet", ["pt > cut.fatjet_pt", "particleNet_TvsQCD > cut.toptag"]),
    LeptonicW("W", "Muon"),
    Observable("lepton_ht", "leading(Muon.pt) + MET.pt"),
]
ASKED = ["num(Muon) == 1", "num(BJet) >= 1", "num(FatJet) >= 1"]
NETWORK = Perceptron([5, 6, 1])
FEATURES = ["MET.pt", "lepton_ht", "W.pt", "leading(FatJet.mass)", "leading(FatJet.particleNet_TvsQCD)"]
SCORE = Score("nn", NETWORK, FEATURES)
CUTS = Parameters(
    **{name: spec for name, spec in ZPRIME.parameters.specs.items() if name not in ("met", "lepton_ht", "network")},
    score=Parameter(0.3, bounds=(0.05, 0.95), width=0.05, label="score >"),
    nn=Weights(NETWORK.initial(jax.random.key(1)), description="score of the event"),
)
ANALYSIS = Analysis(
    stages=[*OBJECTS, SCORE, EventSelection([*ASKED, "nn > cut.score"]), reconstruction],
    channels=[Channel("m_tt", "m_tt", M_TT, bandwidth=100.0)],
    model=CountingModel(["zprime"], background_uncertainty=0.10),
)


def events() -> Split:
    """Read the simulated events that the project ships."""
    return load(Fileset.load(ZPRIME.data), ZPRIME.processes, ANALYSIS.reads, luminosity=ZPRIME.luminosity)


def standardised(data: Split) -> Analysis:
    """Return the analysis with the mean and the spread of every feature measured once, before any optimisation."""
    score = SCORE.standardised(data.train, [*OBJECTS, EventSelection(ASKED)], CUTS)
    return ANALYSIS.replace(SCORE.name, score)


def run(data: Split, *, steps: int) -> Result:
    """Move all cuts and weights to where the discovery significance is largest."""
    return optimize(
        standardised(data), data, parameters=CUTS, optimizer=optax.adam(0.1), steps=steps, anneal=Anneal(1.0, 0.1)
    )


def main() -> None:
    # statistics in double precision; the events stay float32
    jax.config.update("jax_enable_x64", True)
    numbers = sum(leaf.size for leaf in jax.tree.leaves(CUTS))
    print(f"{numbers} numbers are optimised: {len(CUTS.free) - 1} cuts and the weights of the network")
    print(run(events(), steps=150))


if __name__ == "__main__":
    main()
