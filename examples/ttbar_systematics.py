"""Top pairs with official corrections and their uncertainties inside the gradient.

``python examples/ttbar_systematics.py EVENTS CORRECTIONS``: the folders of a fileset.json and of correctionlib's files.
With ``working-point`` as a third argument, the weights of tags are those of the cut (method 1a), not of the shape.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.analysis import Analysis, Channel, Parameter, Parameters, Regular, stage
from hepgrad.analysis import systematics as syst
from hepgrad.analysis.corrections import read_corrections
from hepgrad.analysis.stages import (
    BoostedTrees,
    CorrectionWeight,
    ObjectSelection,
    Score,
    TagEfficiency,
    WordVariation,
    WorkingPointWeight,
    btag_shape,
    by_bins,
)
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.workflows import Fileset, Process, Workflow, load, run

HEM = syst.HEMIssue(part=0.65)
PARTONS = ("Generator_x1", "Generator_x2")
# the shared events are no events of CMS: the numbers mean nothing there
JETS = syst.JES_SOURCES[:11]
MUONS = ObjectSelection("Muon", ["pt > 30", "abs(eta) < 2.4", "tightId > 0", "pfRelIso04_all < 0.15"])
CENTRAL_JETS = ObjectSelection("Jet", ["pt > 20", "abs(eta) < 2.5"])
CUTS = Parameters(
    jet_pt=Parameter(30.0, bounds=(25, 60), width=5.0, unit="GeV"),
    btag=Parameter(0.5, bounds=(0.2, 0.9), width=0.05),
    met=Parameter(25.0, bounds=(0, 80), width=10.0, unit="GeV"),
    score=Parameter(0.3, bounds=(0.1, 0.8), width=0.05),
)
# trained by tools/ttbar_tagger.py with LightGBM, on these very events, which an analysis for a paper would not do; here
# it sees jets that are shifted, too
TREES = BoostedTrees.from_lightgbm(Path(__file__).with_name("ttbar_tagger.txt"))
SCORE = Score("bdt", TREES, ["sum(Jet.pt)", "num(Jet)", "MET.pt"])
POINTS = {"L": 0.049, "M": 0.2783, "T": 0.71}
TAGS = ("Jet", "btagCSVV2", "hadronFlavour")
SIMULATED = ["ttbar", "wjets", "single_top_t_chan"]
PROCESSES = [Process("ttbar", signal=True), Process("wjets"), Process("single_top_t_chan")]
PROCESSES += [
    Process(f"ttbar_{name}", datasets=(f"ttbar:{name}",), cross_section_of="ttbar")
    for name in ("scaleup", "scaledown", "PS_var")
]


@stage(reads=("Jet_pt", "Jet_btagCSVV2", "MET_pt", "bdt"))
def select(events, cut):
    jets = events.Jet.select(events.Jet.pt > cut.jet_pt)
    events = events.select(events.Muon.exactly(1), "one muon").select(jets.at_least(4), "four jets")
    events = events.select(jets.select(jets.btagCSVV2 > cut.btag).at_least(1), "b tag")
    events = events.select(events.bdt > cut.score, "score")
    return events.select(events.MET.pt > cut.met, "missing momentum").with_field(ht=jets.sum("pt"))


def pdf_weights(events):
    """Return a hundred members in the place of ``LHEPdfWeight``: bumps in the momentum fractions of the partons."""
    fractions = jnp.stack([jnp.asarray(events.Generator.x1), jnp.asarray(events.Generator.x2)])
    return 1 + 0.01 * jnp.exp(-((jnp.log(fractions)[..., None] - jnp.linspace(-8, 0, 100)) ** 2)).sum(axis=0)


def tag_efficiency(data: Path) -> TagEfficiency:
    """Measure how often the simulation tags jets, at any cut."""
    reads = ("Jet_pt", "Jet_eta", *(f"Jet_{name}" for name in TAGS[1:]))
    simulation = load(Fileset.load(data), PROCESSES, reads, luminosity=100.0).train
    edges = {"pt": [20, 50, 100, np.inf], "abseta": [0, 1.5, 2.5], "discriminant": np.linspace(0, 1, 101)}
    return TagEfficiency.measured(simulation, **edges, fields=TAGS, processes=SIMULATED)


def analysis(corrections: Path, efficiency: TagEfficiency | None = None) -> Analysis:
    files = (corrections / f"{name}.json.gz" for name in ("muon_Z", "jet_jerc", "btagging", "puWeights"))
    of_muons, of_jets, of_tags, of_pileup = map(read_corrections, files)
    inputs = {"year": "2018_UL", "abseta": "abs(eta)", "pt": "pt"}
    total = WordVariation("syst", "systup", "systdown")
    identified, triggered = (
        CorrectionWeight(of_muons[key], inputs, "Muon", "ValType", "sf", variations, name=name)
        for name, key, variations in (
            ("muon_id", "NUM_TightID_DEN_TrackerMuons", [total]),
            ("trigger", "NUM_IsoMu24_DEN_CutBasedIdTight_and_PFIsoTight", by_bins(total, pt=[26, 60, np.inf])),
        )
    )
    btag = btag_shape(of_tags["deepJet_shape"], discriminant="btagCSVV2")
    if efficiency:
        at_points = of_tags["deepJet_wp"]
        btag = WorkingPointWeight(at_points, efficiency, "btag", POINTS, discriminant="btagCSVV2", name="btag")
    # the shared events lack pile-up: something stands for the number of interactions, and 20 for its density
    true, both = {"NumTrueInteractions": "20 + 20 * Generator.x1"}, [WordVariation("total", "up", "down")]
    of_events = of_pileup["Collisions18_UltraLegacy_goldenJSON"]
    pileup = CorrectionWeight(of_events, true, "", "weights", "nominal", both, name="pileup")
    of_pt = of_jets["Summer19UL18_JRV2_MC_PtResolution_AK4PFchs"]
    worse = syst.EnergyResolution("Jet", lambda jets: of_pt(jets.eta, jets.pt, 20.0), uncertainty=0.1, seed=7)
    small = [syst.RunningMedians(), syst.Pruning(0.001)]
    sources = [
        syst.partially_correlated(syst.Normalisation("lumi", 0.02), 0.5, processes=SIMULATED),
        *syst.jet_energy_sources(of_jets, "Summer19UL18_V5_MC", "AK4PFchs", JETS),
        syst.KinematicVariation("hem", HEM, one_sided=True, reads=HEM.reads, shape=small),
        syst.KinematicVariation("jer", worse, one_sided=True, reads=("event",), shape=small),
        *(source for each in (identified, triggered, btag, pileup) for source in each.sources(SIMULATED)),
        syst.WeightSet("pdf", pdf_weights, range(100), "hessian", processes=["ttbar"], reads=PARTONS),
        syst.AlternativeSample("scale", "ttbar", "ttbar_scaleup", "ttbar_scaledown", shape=[syst.LocalRegression(4)]),
        syst.AlternativeSample("shower", "ttbar", "ttbar_PS_var", shape=[syst.Smoothing(1.0)]),
    ]
    model = TemplateModel(["ttbar"], sources, signal_statistics=["ttbar"])
    channel = Channel("ht", "ht", Regular(8, 120, 760, name="ht", label="$H_T$", unit="GeV", flow="fold"))
    return Analysis(
        [MUONS, CENTRAL_JETS, identified, triggered, btag, pileup, SCORE, select], [channel], model, "sigma_mu"
    )


def workflow(data: Path, corrections: Path, tags: str = "shape") -> Workflow:
    if tags not in ("shape", "working-point"):
        raise ValueError(f"tags are 'shape' or 'working-point', got {tags!r}")
    physics = analysis(corrections, tag_efficiency(data) if tags == "working-point" else None)
    about = {"name": "ttbar_systematics", "title": "Top pairs and their systematics", "luminosity": 100.0, "data": data}
    return Workflow(analysis=physics, parameters=CUTS, processes=PROCESSES, **about)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    run(workflow(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
