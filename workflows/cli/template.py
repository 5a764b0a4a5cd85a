"""A search of one's own, to be changed: run it with ``hepgrad run THIS_MODULE:WORKFLOW``.

It looks for a Z' boson that decays to top quarks, in events with a muon. The events that come with hepgrad serve as
data, so that it runs at once (half a minute). Go through it from top to bottom and replace what your search does
otherwise. Before a long run, ``hepgrad check THIS_MODULE:WORKFLOW`` tells what does not look right.
"""

from __future__ import annotations

from hepgrad.analysis import (
    Analysis,
    Anneal,
    Channel,
    CountingModel,
    Cuts,
    Events,
    Parameter,
    Parameters,
    Regular,
    stage,
)
from hepgrad.workflows import Process, Workflow
from hepgrad.workflows.analyses.zprime import ZPRIME

# The cuts that are optimised: where they start, how far they may go, and over which distance the soft reading of a cut
# goes from 0 to 1 (about the resolution of the quantity is a good choice).
PARAMETERS = Parameters(
    muon_pt=Parameter(55.0, bounds=(30, 120), width=5.0, unit="GeV", label=r"muon $p_T$ >"),
    jet_pt=Parameter(30.0, bounds=(25, 100), width=5.0, unit="GeV", label=r"jet $p_T$ >"),
    btag=Parameter(0.5, bounds=(0.1, 0.9), width=0.05, label="b tag >"),
    met=Parameter(50.0, bounds=(20, 200), width=10.0, unit="GeV", label=r"$p_T^{miss}$ >"),
)


# A stage is a function of events and cuts. `reads` names the branches it needs: no others are read from the files.
# A comparison with `cut.something` is optimised, one with a plain number (2.4) stays as it is.
@stage(reads=("Muon_pt", "Muon_eta", "Jet_pt", "Jet_eta", "Jet_btagCSVV2", "MET_pt"))
def selection(events: Events, cut: Cuts) -> Events:
    """Ask for one muon, two jets, of which one is b-tagged, and missing momentum."""
    muons = events.Muon.select((events.Muon.pt > cut.muon_pt) & (abs(events.Muon.eta) < 2.4))
    jets = events.Jet.select((events.Jet.pt > cut.jet_pt) & (abs(events.Jet.eta) < 2.4))
    bjets = jets.select(jets.btagCSVV2 > cut.btag)
    # the names are those of the cutflow
    events = events.select(muons.exactly(1), "one muon")
    events = events.select(jets.at_least(2), "two jets")
    events = events.select(bjets.at_least(1), "a b-tagged jet")
    events = events.select(events.MET.pt > cut.met, "missing momentum")
    return events.with_field(st=jets.sum("pt") + muons.sum("pt") + events.MET.pt)


# What the prediction consists of. The names of the datasets are those of the fileset.
PROCESSES = (
    Process("signal", datasets=("zprime_2000",), label="Z' (2 TeV)", signal=True),
    Process("ttbar", label=r"$t\bar{t}$"),
    Process("wjets", label="W + jets"),
    Process("other", datasets=("single_top_t_chan", "zjets"), label="other"),
)

# The histograms of the fit, here one: in ten bins of 200 GeV, of which the last one holds the overflow.
ST = Regular(10, 300, 2300, name="st", label="$S_T$", unit="GeV", flow="fold")

WORKFLOW = Workflow(
    name="template",
    title="Search for Z' to top antitop, muon + jets, 13 TeV",
    analysis=Analysis(
        stages=[selection],
        channels=[Channel("st", "st", ST)],
        # for correlated systematic uncertainties in place of one number: hepgrad.analysis.statistics.TemplateModel
        model=CountingModel(signal=("signal",), background_uncertainty=0.10),
        objective="discovery",
    ),
    parameters=PARAMETERS,
    processes=PROCESSES,
    luminosity=36_300.0,  # 1/pb
    data=ZPRIME.data,  # yours: a folder with a fileset.json that says which ROOT files hold which sample
    steps=200,
    anneal=Anneal(1.0, 0.1),
)
