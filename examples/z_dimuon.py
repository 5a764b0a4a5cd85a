"""Z to two muons in CMS NanoAOD of several versions, with observed events that stay blinded until asked for.

Run it as ``python examples/z_dimuon.py FOLDER``, where FOLDER holds nano_dy.root, nano_tt_v12.root, nano_dimuon.root.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jax

from hepgrad.analysis import Analysis, Channel, CountingModel, Parameter, Parameters, Regular, stage, window
from hepgrad.analysis.reconstruction import nearest_in_mass, systems
from hepgrad.workflows import Layout, Process, Workflow, run

MUON = ("pt", "eta", "phi", "mass", "charge", "pfRelIso04_all", "jetIdx")
# one sample was simulated without this trigger
LAYOUT = Layout(defaults={"HLT_IsoMu24": True})
SAMPLES = {"dy": ("nano_dy", 6077.22), "ttbar": ("nano_tt_v12", 831.76), "data": ("nano_dimuon", None)}


@stage(reads=(*(f"Muon_{field}" for field in MUON), "Jet_pt", "HLT_IsoMu24"))
def dimuon(events, cut):
    muons = events.Muon.select((events.Muon.pt > cut.muon_pt) & (abs(events.Muon.eta) < 2.4))
    muons = muons.select(muons.pfRelIso04_all < cut.isolation)
    pairs = systems(muons, 2)
    pairs = nearest_in_mass(pairs.select(pairs.first.charge * pairs.second.charge < 0), 91.19)
    mass = pairs.leading("mass", fill_value=0.0)
    # the jets that the muons are in, by the position that each muon knows
    inside = events.Jet.at(muons.jetIdx, fill_value=0.0).leading("pt", fill_value=0.0)
    events = events.select(events.HLT.IsoMu24, "trigger").select(pairs.at_least(1), "two muons")
    events = events.select(window(mass, cut.low, cut.high), "Z window")
    return events.with_field(mass=mass, inside=inside)


def workflow(folder: Path, fileset: Path) -> Workflow:
    samples = {}
    for name, (file, cross_section) in SAMPLES.items():
        told = {"lumi_pb": 1000.0} if cross_section is None else {"xsec_pb": cross_section}
        generated = {"nevts_total": 200} if name == "ttbar" else {}  # others say it themselves
        samples[name] = {"nominal": {"files": [str((folder / f"{file}.root").resolve())], **told, **generated}}
    fileset.write_text(json.dumps(samples))
    cuts = Parameters(
        muon_pt=Parameter(15.0, bounds=(10, 30), width=3.0, unit="GeV"),
        isolation=Parameter(0.25, bounds=(0.1, 0.5), width=0.05),
        low=Parameter(60.0, bounds=(50, 85), width=3.0, unit="GeV"),
        high=Parameter(120.0, bounds=(95, 140), width=3.0, unit="GeV"),
    )
    channel = Channel("mass", "mass", Regular(6, 60.0, 120.0, name="mass", label=r"$m_{\mu\mu}$", unit="GeV"))
    processes = [Process("dy", signal=True), Process("ttbar"), Process("data", observed=True)]
    about = {"name": "z", "title": "Z to two muons", "luminosity": 1000.0, "data": fileset, "layout": LAYOUT}
    analysis = Analysis([dimuon], [channel], CountingModel(["dy"], 0.1))
    return Workflow(analysis=analysis, parameters=cuts, processes=processes, **about)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    run(workflow(Path(sys.argv[1]), Path("z-fileset.json")))
