"""A workflow small enough for tests: three cuts, three processes, a few hundred events that `write_events` draws."""

from __future__ import annotations

import json
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from hepgrad.analysis import Analysis, Anneal, Channel, CountingModel, Parameter, Parameters, Regular, stage
from hepgrad.workflows import Process, Workflow

EVENTS = {"signal": 400, "top": 600, "multijet_low": 300, "multijet_high": 301}
# mean momenta of jets and mean missing momentum in GeV, cross-section in pb
PHYSICS = {
    "signal": (120.0, 90.0, 0.1),
    "top": (60.0, 40.0, 1.5),
    "multijet_low": (35.0, 12.0, 3.0),
    "multijet_high": (70.0, 18.0, 0.5),
}


@stage(reads=("Jet_pt", "MET_pt"))
def selection(events, cut):
    jets = events.Jet.select(events.Jet.pt > cut.jet_pt)
    events = events.select(events.MET.pt > cut.met, "missing momentum")
    ht = jets.sum("pt")
    return events.select(ht > cut.ht, "jet activity").with_field(ht=ht)


TINY = Workflow(
    name="tiny",
    title="A tiny <search>",
    analysis=Analysis(
        stages=[selection],
        channels=[Channel("ht", "ht", Regular(4, 50, 650, name="ht", label="$H_T$", unit="GeV", flow="fold"))],
        model=CountingModel(signal=("signal",), background_uncertainty=0.1),
    ),
    parameters=Parameters(
        jet_pt=Parameter(30.0, bounds=(20, 60), width=5.0, unit="GeV", label="jet $p_T$ >"),
        met=Parameter(20.0, bounds=(10, 100), width=10.0, unit="GeV"),
        ht=Parameter(60.0, bounds=(50, 300), width=15.0, unit="GeV"),
    ),
    processes=[
        Process("signal", label="S", signal=True),
        Process("top", label=r"$t\bar{t}$"),
        Process("multijet", datasets=("multijet_low", "multijet_high")),
    ],
    luminosity=1000.0,
    data=Path("events"),
    steps=5,
    learning_rate=0.5,
    anneal=Anneal(1.0, 0.5),
    check_every=2,
    block_size=512,
)


def draw(name: str) -> dict[str, ak.Array | np.ndarray]:
    """Draw the events of a sample, as branches; the weights are not 1."""
    rng = np.random.default_rng(sorted(EVENTS).index(name))
    jet_pt, met, _ = PHYSICS[name]
    events = EVENTS[name]
    count = rng.poisson(2.5, events)
    rows = [np.sort(rng.exponential(jet_pt, n))[::-1] + 20 for n in count]
    return {
        "Jet_pt": ak.values_astype(ak.unflatten(np.concatenate(rows), count), np.float32),
        "MET_pt": rng.exponential(met, events).astype(np.float32),
        "genWeight": rng.uniform(0.5, 1.5, events).astype(np.float32),
    }


def write_tree(path: Path, branches: dict[str, ak.Array | np.ndarray], tree: str = "Events") -> None:
    """Write branches as a TTree."""
    types = {name: ak.type(ak.Array(values)).content for name, values in branches.items()}
    with uproot.recreate(path) as file:
        file.mktree(tree, types).extend(branches)


def write_events(folder: Path) -> Path:
    """Write all samples and their fileset, and return the folder."""
    folder.mkdir()
    fileset = {}
    for name, events in EVENTS.items():
        branches = draw(name)
        write_tree(folder / f"{name}.root", branches)
        fileset[name] = {
            "nominal": {
                "files": [{"path": f"{name}.root", "nevts": events}],
                "nevts_total": events,
                # some generated events did not make it into the file
                "sumw_total": 1.25 * float(branches["genWeight"].sum(dtype=float)),
                "xsec_pb": PHYSICS[name][2],
            }
        }
    (folder / "fileset.json").write_text(json.dumps(fileset))
    return folder
