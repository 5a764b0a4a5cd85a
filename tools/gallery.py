"""Draws the plots of the page docs/howto/plots.md: a short run on the events that come with hepgrad, and pseudo-data.

Run it as ``python -m tools.gallery`` in the root of the repository; it takes a few minutes.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import awkward as ak
import jax
import numpy as np
import uproot

from hepgrad.analysis import (
    Analysis,
    Channel,
    Cuts,
    Events,
    KinematicVariation,
    Normalisation,
    Parameter,
    Parameters,
    Regular,
    TemplateModel,
    stage,
)
from hepgrad.workflows import Process, Workflow, run
from hepgrad.workflows.analyses.zprime import ZPRIME

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, IMAGES = DOCS / "howto" / "plots.md", DOCS / "images" / "gallery"
LUMINOSITY = 3_000.0
COLUMNS = ("Muon_pt", "Jet_pt", "MET_pt")
BACKGROUNDS = ("ttbar", "wjets")


@stage(reads=COLUMNS)
def select(events: Events, cut: Cuts) -> Events:
    """Ask for a muon, missing momentum and hard jets."""
    muons = events.Muon.select(events.Muon.pt > cut.muon_pt)
    jets = events.Jet.select(events.Jet.pt > cut.jet_pt)
    events = events.select(muons.at_least(1), "muon").select(events.MET.pt > cut.met, "missing momentum")
    return events.select(jets.at_least(2), "jets").with_field(ht=jets.sum("pt"), jets=jets.count())


def jet_scale(events: Events, alpha: jax.Array | float) -> Events:
    """Scale jets by 3 % for one standard deviation."""
    return (
        events
        if isinstance(alpha, float)
        else events.with_field(Jet=events.Jet.with_field(pt=events.Jet.pt * (1 + 0.03 * alpha)))
    )


def write_events(folder: Path) -> Path:
    """Write a fileset with the events of hepgrad, and pseudo-data drawn from its backgrounds; return its path."""
    described = json.loads((Path(ZPRIME.data) / "fileset.json").read_text(encoding="utf-8"))
    rng, drawn = np.random.default_rng(1), []
    for name, entry in described.items():
        sample = entry["nominal"]
        for file in sample["files"]:
            file["path"] = str((Path(ZPRIME.data) / file["path"]).resolve())
            if name in BACKGROUNDS:
                events = uproot.open(file["path"])["Events"].arrays([*COLUMNS, "genWeight"])
                expected = events.genWeight * sample["xsec_pb"] * LUMINOSITY / sample["sumw_total"]
                drawn.append(events[np.repeat(np.arange(len(events)), rng.poisson(np.maximum(expected, 0)))])
    data = ak.concatenate(drawn)[list(COLUMNS)]
    with uproot.recreate(folder / "data.root") as file:
        file.mktree("Events", {name: ak.type(data[name]).content for name in COLUMNS}).extend(
            {n: data[n] for n in COLUMNS}
        )
    described["data"] = {"nominal": {"files": ["data.root"], "lumi_pb": LUMINOSITY}}
    path = folder / "fileset.json"
    path.write_text(json.dumps(described), encoding="utf-8")
    return path


def workflow(fileset: Path) -> Workflow:
    """Return a short search with two systematic sources and control plots."""
    ht = Regular(8, 100, 1700, name="ht", label="$H_T$", unit="GeV", flow="fold")
    sources = [Normalisation("ttbar_norm", 0.06, ["ttbar"]), Normalisation("wjets_norm", 0.2, ["wjets"])]
    sources.append(KinematicVariation("jet_scale", jet_scale))
    return Workflow(
        name="gallery",
        title="The plots of hepgrad",
        analysis=Analysis([select], [Channel("ht", "ht", ht)], TemplateModel(["zprime"], sources)),
        parameters=Parameters(
            muon_pt=Parameter(30.0, bounds=(25, 60), width=4.0, unit="GeV"),
            jet_pt=Parameter(40.0, bounds=(30, 150), width=8.0, unit="GeV"),
            met=Parameter(30.0, bounds=(20, 150), width=10.0, unit="GeV"),
        ),
        processes=[
            Process("zprime", datasets=["zprime_2000"], label="Z' (2 TeV)", signal=True),
            *(Process(name, label=label) for name, label in zip(BACKGROUNDS, (r"$t\bar{t}$", "W + jets"), strict=True)),
            Process("data", observed=True),
        ],
        luminosity=LUMINOSITY,
        data=fileset,
        experiment=sys.argv[1] if len(sys.argv) > 1 else "",
        steps=30,
        replicas=20,
        plots=[Channel("met", "MET.pt", Regular(10, 0, 300, label="missing $p_T$", unit="GeV"))],
    )


def main() -> None:
    """Run, and copy the plots."""
    jax.config.update("jax_enable_x64", True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(workflow(write_events(folder)), output=folder / "run", unblind=True, moving=True)
        IMAGES.mkdir(parents=True, exist_ok=True)
        shown = PAGE.read_text(encoding="utf-8")
        for plot in sorted((folder / "run" / "plots").glob("*.png")):
            if f"/{plot.name})" in shown:
                shutil.copy(plot, IMAGES / plot.name)


if __name__ == "__main__":
    main()
