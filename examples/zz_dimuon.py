"""ZZ with a Z to two muons, on the files of the CMS HEP tutorial (open data of 2011).

Run it as ``python examples/zz_dimuon.py uproot-HZZ.root FOLDER``, where FOLDER holds wz.root, ww.root and others.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jax
import numpy as np

from hepgrad.analysis import Analysis, Channel, CountingModel, Parameter, Parameters, Regular, stage
from hepgrad.analysis.kinematics import Momentum, invariant_mass
from hepgrad.analysis.reconstruction import nearest_in_mass
from hepgrad.workflows import Layout, Process, Workflow, run

Z_MASS = 91.19
MUON = ("Muon_px", "Muon_py", "Muon_pz", "Muon_energy", "Muon_charge", "Muon_iso")
LAYOUT = Layout(
    branches={"MET_px": "MET_px", "MET_py": "MET_py", "Muon_charge": "Muon_Charge", "Muon_iso": "Muon_Iso"}
    | {"*_px": "*_Px", "*_py": "*_Py", "*_pz": "*_Pz", "*_energy": "*_E"}
)


@stage(reads=(*MUON, "MET_px", "MET_py", "triggerIsoMu24"))
def dimuon(events, cut):
    muons = events.Muon.with_field(pt=Momentum.of(events.Muon).pt).ordered_by("pt")
    muons = muons.select((muons.pt > cut.muon_pt) & (muons.iso / muons.pt < cut.isolation))
    pairs = muons.combinations(2, fields=["first", "second"])
    pairs = pairs.select(pairs.first.charge * pairs.second.charge < 0)
    pairs = nearest_in_mass(pairs.with_field(mass=invariant_mass(pairs.first, pairs.second)), Z_MASS)
    mass, met = pairs.leading("mass", fill_value=0.0), np.hypot(events.MET.px, events.MET.py)
    events = events.select(events.triggerIsoMu24, "trigger").select(pairs.at_least(1), "two muons")
    events = events.select(abs(mass - Z_MASS) < cut.window, "Z window").select(met > cut.met, "missing momentum")
    return events.with_field(mass=mass, met=met)


def workflow(signal: Path, folder: Path, fileset: Path) -> Workflow:
    """Return the workflow, after writing its fileset: the weights of the tutorial are those of 50/pb."""
    files = {"zz": signal} | {name: folder / f"{name}.root" for name in ("wz", "ww", "single_top", "qcd")}
    told = {"weight": "EventWeight", "lumi_pb": 50.0}
    samples = {name: {"nominal": {"files": [str(file.resolve())], **told}} for name, file in files.items()}
    fileset.write_text(json.dumps(samples))
    axis = Regular(10, 61.0, 121.0, name="mass", label=r"$m_{\mu\mu}$", unit="GeV")
    analysis = Analysis([dimuon], [Channel("mass", "mass", axis)], CountingModel(["zz"], 0.1))
    cuts = {"isolation": Parameter(0.15, bounds=(0.05, 0.3), width=0.03), "muon_pt": Parameter(22.0, bounds=(15, 40))}
    cuts |= {"window": Parameter(20.0, bounds=(5, 30), width=3.0), "met": Parameter(5.0, bounds=(0, 60), width=4.0)}
    processes = [Process(name, signal=name == "zz") for name in files]
    about = {"name": "zz", "title": "ZZ with a dimuon", "processes": processes, "parameters": Parameters(**cuts)}
    about |= {"data": fileset, "luminosity": 50.0, "energy": 7.0, "tree": "events", "layout": LAYOUT}
    return Workflow(analysis=analysis, **about)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    run(workflow(Path(sys.argv[1]), Path(sys.argv[2]), Path("zz-fileset.json")))
