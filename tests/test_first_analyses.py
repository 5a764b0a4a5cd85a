"""The examples on foreign files: event for event what plain Awkward Array selects, down to the exported script."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import awkward as ak
import jax
import numpy as np
import pytest
import uproot

from hepgrad.analysis import Events, Hard
from hepgrad.workflows import run
from hepgrad.workflows.execution import load_events, located
from hepgrad.workflows.export import write_selection
from hepgrad.workflows.results.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("quick_compilation")

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NAMES = ("zz_dimuon", "z_dimuon", "single_top")


def pairs_of(muons, field="charge"):
    first, second = ak.unzip(ak.combinations(muons, 2))
    opposite = first[field] * second[field] < 0
    return first[opposite], second[opposite]


def nearest(mass, other=None):
    """The mass that is nearest to that of the Z, per event; 0 where there is none."""
    best = ak.argmin(abs(mass - np.float32(91.19)), axis=1, keepdims=True)
    return ak.fill_none(ak.firsts((mass if other is None else other)[best]), 0)


def zz_dimuon(events, cut):
    px, py, pz, e = (events[f"Muon_{part}"] for part in ("Px", "Py", "Pz", "E"))
    pt = np.sqrt(px**2 + py**2)
    parts = {"px": px, "py": py, "pz": pz, "e": e, "charge": events.Muon_Charge, "pt": pt, "iso": events.Muon_Iso}
    muons = ak.zip(parts)
    muons = muons[(muons.pt > cut["muon_pt"]) & (muons.iso / muons.pt < cut["isolation"])]
    a, b = pairs_of(muons)
    squared = (a.e + b.e) ** 2 - (a.px + b.px) ** 2 - (a.py + b.py) ** 2 - (a.pz + b.pz) ** 2
    mass = nearest(np.sqrt(np.maximum(squared, 0)))
    met = np.sqrt(events.MET_px**2 + events.MET_py**2)
    passed = events.triggerIsoMu24 & (ak.num(a) > 0) & (abs(mass - 91.19) < cut["window"]) & (met > cut["met"])
    return {"mass": mass[passed], "met": met[passed]}


def massless_or_not(pt, eta, phi, mass):
    """Cartesian components in double precision."""
    pt, eta, phi, mass = (ak.values_astype(each, np.float64) for each in (pt, eta, phi, mass))
    p = pt * np.cosh(eta)
    return pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), np.sqrt(p**2 + mass**2)


def mass_of(a, b):
    parts = zip(*(massless_or_not(each.pt, each.eta, each.phi, each.mass) for each in (a, b)), strict=True)
    px, py, pz, e = (x + y for x, y in parts)
    return np.sqrt(np.maximum(e**2 - px**2 - py**2 - pz**2, 0))


def z_dimuon(events, cut):
    fields = ("pt", "eta", "phi", "mass", "charge", "pfRelIso04_all", "jetIdx")
    muons = ak.zip({field: events[f"Muon_{field}"] for field in fields})
    muons = muons[(muons.pt > cut["muon_pt"]) & (abs(muons.eta) < 2.4) & (muons.pfRelIso04_all < cut["isolation"])]
    a, b = pairs_of(muons)
    mass = nearest(mass_of(a, b))
    # the jet of the first muon, in the order of the file, that points at one
    inside = ak.fill_none(ak.firsts(events.Jet_pt[events.Muon_jetIdx[events.Muon_jetIdx >= 0]]), 0)
    trigger = events.HLT_IsoMu24 if "HLT_IsoMu24" in events.fields else np.ones(len(events), bool)
    passed = trigger & (ak.num(a) > 0) & (mass > cut["low"]) & (mass < cut["high"])
    return {"mass": mass[passed], "inside": inside[passed]}


def single_top(events, cut):
    muons = ak.zip({field: events[f"Muon_{field}"] for field in ("pt", "eta", "phi", "mass", "pfRelIso04_all")})
    jets = ak.zip({field: events[f"Jet_{field}"] for field in ("pt", "eta", "phi", "mass", "btagCSVV2")})
    muons = muons[(muons.pt > cut["muon_pt"]) & (muons.pfRelIso04_all < 0.15)]
    jets = jets[(jets.pt > cut["jet_pt"]) & (abs(jets.eta) < 4.7)]
    jet, muon = ak.unzip(ak.cartesian([jets, muons], nested=True))
    dphi = (jet.phi - muon.phi + np.pi) % (2 * np.pi) - np.pi
    jets = jets[~ak.any(np.sqrt((jet.eta - muon.eta) ** 2 + dphi**2) < 0.4, axis=-1)]
    tagged = jets[(jets.btagCSVV2 > cut["btag"]) & (abs(jets.eta) < 2.4)]
    light = jets[~(jets.btagCSVV2 > cut["btag"])]
    mass = mass_of(*ak.unzip(ak.combinations(jets, 2)))
    dphi = muons.phi - events.MET_phi
    mt = ak.fill_none(ak.firsts(np.sqrt(2 * muons.pt * events.MET_pt * (1 - np.cos(dphi)))), 0)
    passed = (ak.num(muons) == 1) & (ak.num(jets) >= 2) & (ak.num(tagged) >= 1) & (mt > cut["mt"])
    values = {
        "forward": ak.fill_none(ak.max(abs(light.eta), axis=1), 0),
        "pair_mass": ak.fill_none(ak.max(mass, axis=1), 0),
    }
    return {name: value[passed] for name, value in values.items()}


@dataclasses.dataclass
class Point:
    """As much of a point of a result as the export looks at."""

    parameters: object
    hard_held_out: object
    cutflow: object


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_it_is_what_plain_awkward_selects(name, example_on_foreign_files, tmp_path):
    workflow, fileset = located(example_on_foreign_files(name, tmp_path))
    cuts = {key: float(value) for key, value in workflow.parameters.to_dict().items()}
    with jax.enable_x64(True):
        events = load_events(workflow, fileset).held_out
        selected, histograms = selections(workflow, events)
    for process in workflow.predicted:
        wanted = [
            globals()[name](uproot.open(file)[workflow.tree].arrays()[1::2], cuts)
            for sample in process.samples(fileset).values()
            for file in sample.files
        ]
        index = events.processes.index(process.name)
        for column in wanted[0]:
            plain = np.concatenate([ak.to_numpy(each[column]) for each in wanted])
            mine = selected[column][selected["process"] == index]
            assert len(mine) == len(plain), (process.name, column)
            np.testing.assert_allclose(np.sort(mine), np.sort(plain), rtol=2e-4, atol=2e-3, err_msg=column)
    names = dict.fromkeys(events.processes, 1.0)
    evaluation = dataclasses.make_dataclass("_Evaluation", ["histograms", "yields"])(histograms, names)
    raw = dataclasses.make_dataclass("_Cutflow", ["raw"])(np.ones((1, len(names))))
    with jax.enable_x64(True):
        told = write_selection(
            RunFolder.create(tmp_path / "run"), workflow, Point(workflow.parameters, evaluation, raw), fileset
        )
    assert told.agrees, told.told
    # of the forty events of one sample there are few
    assert np.sum(selected["process"] >= 0) > (0 if name == "z_dimuon" else 10)


def selections(workflow, data):
    """What is selected, event by event, and the histograms that it fills."""
    observables = dict.fromkeys(channel.observable for channel in workflow.analysis.channels)
    observables |= {"zz": {"met": None}, "z": {"inside": None}}.get(workflow.name, {})

    @jax.jit
    def select(block):
        columns, weight = block
        left = workflow.analysis.select(Events.of(columns, weight), workflow.parameters, Hard())
        return left.probability, {name: left.columns[name] for name in observables}

    passed, values = jax.lax.map(select, (data.events, data.weight))
    passed = np.asarray(passed).ravel() == 1
    real = np.asarray(data.process).ravel() < len(data.processes)
    told = {name: np.asarray(each).ravel()[passed & real] for name, each in values.items()}
    told["process"] = np.asarray(data.process).ravel()[passed & real]
    return told, workflow.analysis.histograms(data, workflow.parameters, Hard())


@pytest.mark.parametrize("name", NAMES)
def test_it_is_short(name):
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 60


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_to_the_report(name, example_on_foreign_files, tmp_path, capsys):
    workflow = dataclasses.replace(example_on_foreign_files(name, tmp_path), steps=3, check_every=1, replicas=10)
    with jax.enable_x64(True):
        run(workflow, output=tmp_path / "run", unblind=name == "z_dimuon")
    out = " ".join(capsys.readouterr().out.split())
    assert "selection.py is the same selection in plain Awkward Array" in out
    assert "is the same selection" in json.loads((tmp_path / "run" / "run.json").read_text())["selection"]
    assert "is the same selection" in (tmp_path / "run" / "report.html").read_text()
