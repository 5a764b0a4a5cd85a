"""Single top quarks in the t channel: one muon, pairs of jets, and categories by the numbers of jets and b tags.

Run it as ``python examples/single_top.py FILESET``, the folder with the fileset.json of simulated events at 13 TeV.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax

from hepgrad.analysis import Analysis, Channel, CountingModel, Parameter, Parameters, Regular, stage
from hepgrad.analysis.kinematics import delta_phi, transverse_mass
from hepgrad.analysis.reconstruction import systems
from hepgrad.workflows import Process, Workflow, run

MUON = tuple(f"Muon_{field}" for field in ("pt", "eta", "phi", "mass", "pfRelIso04_all"))
JET = tuple(f"Jet_{field}" for field in ("pt", "eta", "phi", "mass", "btagCSVV2"))


@stage(reads=(*MUON, *JET, "MET_pt", "MET_phi"))
def select(events, cut):
    muons = events.Muon.select((events.Muon.pt > cut.muon_pt) & (events.Muon.pfRelIso04_all < 0.15))
    jets = events.Jet.select((events.Jet.pt > cut.jet_pt) & (abs(events.Jet.eta) < 4.7)).without_overlap(muons, 0.4)
    tagged = jets.select((jets.btagCSVV2 > cut.btag) & (abs(jets.eta) < 2.4))
    light = jets.select(~(jets.btagCSVV2 > cut.btag)).with_field(forward=abs(jets.eta))
    pairs = systems(jets, 2)
    pairs = pairs.with_field(apart=abs(delta_phi(pairs.first.phi, pairs.second.phi)))
    lepton = muons.with_field(mt=transverse_mass(muons, events.MET)).leading("mt", fill_value=0.0)
    events = events.select(muons.exactly(1), "one muon").select(jets.at_least(2), "two jets")
    events = events.select(tagged.at_least(1), "b tag").select(lepton > cut.mt, "transverse mass")
    mass, apart = (pairs.leading(field, by="mass", fill_value=0.0) for field in ("mass", "apart"))
    events = events.with_field(forward=light.max("forward", fill_value=0.0), pair_mass=mass, apart=apart)
    one = tagged.exactly(1)
    return events.categorise(two_one=jets.exactly(2) & one, three_one=jets.exactly(3) & one, rest="others")


FORWARD = Regular(5, 0.0, 5.0, name="forward", label=r"$|\eta|$ of the forward jet", flow="fold")
PAIRS = Regular(6, 0.0, 900.0, name="pair_mass", label="largest $m_{jj}$", unit="GeV", flow="fold")
APART = Regular(4, 0.0, 3.2, name="apart", label=r"$\Delta\phi_{jj}$")
CHANNELS = [Channel("2j1t", "forward", FORWARD, region="two_one"), Channel("others", "apart", APART, region="others")]
CHANNELS.append(Channel("3j1t", "pair_mass", PAIRS, region="three_one"))
MUON_PT, JET_PT = Parameter(26.0, bounds=(20, 50), width=4.0), Parameter(40.0, bounds=(30, 60), width=5.0)
BTAG, MT = Parameter(0.5, bounds=(0.2, 0.9), width=0.05), Parameter(50.0, bounds=(0, 90), width=8.0)
CUTS = Parameters(muon_pt=MUON_PT, jet_pt=JET_PT, btag=BTAG, mt=MT)
PROCESSES = [Process("t_channel", datasets=["single_top_t_chan"], signal=True), Process("ttbar"), Process("wjets")]


def workflow(data: Path) -> Workflow:
    analysis = Analysis([select], CHANNELS, CountingModel(["t_channel"], 0.1))
    about = {"name": "single_top", "title": "Single top quarks in the t channel", "luminosity": 1000.0, "data": data}
    return Workflow(analysis=analysis, parameters=CUTS, processes=PROCESSES, **about)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    run(workflow(Path(sys.argv[1])))
