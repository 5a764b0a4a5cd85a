"""Everything that stages may use is exported, and a script is run before anybody is told that it is right."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import json
import operator
import re
import runpy
from pathlib import Path

import awkward as ak
import jax
import numpy as np
import pytest
import uproot
from numpy import hypot

import hepgrad.analysis as ha
import hepgrad.ragged as rg
from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Events,
    Hard,
    Objects,
    Parameter,
    Parameters,
    Regular,
    kinematics,
    reconstruction,
    stage,
)
from hepgrad.analysis.kinematics import Momentum, delta_phi, invariant_mass
from hepgrad.workflows import Fileset, Layout, Process, Workflow
from hepgrad.workflows.execution import load_events, located
from hepgrad.workflows.export import runtime, selection_script, write_selection
from hepgrad.workflows.results.run_folder import RunFolder

pytestmark = [pytest.mark.usefixtures("quick_compilation"), pytest.mark.thorough]

EDGES = np.array([0.0, 1.5, 2.5])
ETA = np.float32(2.3)
QUANTITIES = (
    "multiplicity",
    "objects",
    "systems",
    "momenta",
    "frames",
    "lists",
)


@stage(reads=("Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass", "Jet_btag", "Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass"))
def objects(events, cut):
    jets = events.Jet.select((events.Jet.pt > cut.jet_pt) & (abs(events.Jet.eta) < ETA))
    muons = events.Muon.select(events.Muon.pt > 12)
    clean = jets.without_overlap(muons, 0.3, capacity=100_000)
    tagged = clean.select(ha.window(clean.btag, cut.low, cut.low + cut.size.value))
    pairs = clean.combinations(2, fields=["first", "second"], capacity=100_000)
    pairs = pairs.select(abs(delta_phi(pairs.first.phi, pairs.second.phi)) > EDGES[1])
    both = Objects.concatenate([muons, clean], fields=["pt", "eta", "phi", "mass"]).ordered_by("pt")
    named = clean.with_field(charge=jets.btag * 2, count=jets.eta)
    return (
        events.with_field(
            Clean=named,
            Both=both,
            multiplicity=pairs.count() + clean.count() * 10 + tagged.count() / 10 + clean.leading_first().capacity * 0,
            objects=clean.leading("btag", fill_value=-1.0)
            + clean.subleading("pt", fill_value=0.0) / 50
            + named.max("count", fill_value=0.0)
            + named.min("charge", fill_value=0.0)
            + clean.mean("pt", fill_value=7.0) / 50
            + both.nth("pt", 3, fill_value=0.0) / 50
            + clean.nth("eta", 1, by="btag", fill_value=0.0),
        )
        .categorise(
            many=clean.at_least(4) & clean.any(clean.btag > 0.5),
            few=clean.at_most(2) | clean.exactly(3) & ~clean.all(clean.eta > 0),
            rest="others",
        )
        .quadrants(clean.at_least(3), muons.at_least(1), names=("a", "b", "c", "d"), within=clean.at_least(1))
    )


@stage(reads=("MET_pt", "MET_phi"))
def kinematic(events, cut):
    clean, met = events.Clean, events.MET
    pairs = reconstruction.systems(clean, 2)
    mixed = reconstruction.joint_systems(events.Muon, clean)
    w = reconstruction.nearest_in_mass(pairs, 80.4)
    trios = reconstruction.trijets(clean, clean.btag > 0.5)
    lead = reconstruction.leading_momentum(clean, fill_value=0.0)
    total = reconstruction.total_momentum(clean)
    neutrino = kinematics.neutrino_from_w(lead, met.pt, met.phi)
    top = lead + neutrino + kinematics.momentum(30.0 + 0 * met.pt, 0 * met.pt, met.phi, 5.0 + 0 * met.pt)
    rest = kinematics.to_rest_frame(lead, top)
    moving = kinematics.boost(rest, *(0.5 * part for part in kinematics.velocity(total)))
    others = Momentum.of(clean)
    nearest = clean.with_field(dr=kinematics.delta_r(clean.eta, clean.phi, 0.0, met.phi)).min("dr", fill_value=9.0)
    return events.with_field(
        systems=w.leading("mass", fill_value=0.0)
        + mixed.count()
        + trios.leading("mass", fill_value=0.0) / 10
        + reconstruction.smooth_choice(pairs, "pt", by="mass", temperature=20.0, fill_value=1.0) / 10
        + invariant_mass(lead, neutrino) / 10
        + pairs.select(invariant_mass(pairs.first, pairs.second) > 40.0).count(),
        momenta=total.pt + total.rapidity + total.mass / 10 + total.transverse_mass / 10 + (total - lead).p / 10,
        frames=10 * kinematics.cos_decay_angle(rest, top)
        + moving.pt / 10
        + kinematics.system_transverse_mass(total, met) / 10
        + kinematics.transverse_mass(lead, met) / 10
        + clean.with_field(y=kinematics.rapidity(clean.pt, clean.eta, clean.mass)).sum("y")
        + kinematics.safe_divide(lead.pt, total.pt)
        + nearest,
        lists=rg.sum(rg.where(others.mass_squared > 50.0, 1.0, 0.0), axis=1)
        + rg.max(events.Jet.pt, axis=1, initial=0.0) / 50
        + rg.num(events.Jet.pt, axis=1)
        + rg.firsts(clean.leading_first().pt, fill_value=0.0) / 50
        + hypot(met.pt, rg.sqrt(met.pt)) / 10
        + operator.add(met.pt, 1.0) / 10
        + sum(itertools.chain([1.0, 2.0])),
    ).weighted(1.0 + met.pt / 1000)


def draw(seed: int) -> dict[str, ak.Array | np.ndarray]:
    rng = np.random.default_rng(seed)
    events = 400
    branches: dict[str, ak.Array | np.ndarray] = {}
    for name, mean in (("Jet", 3.0), ("Muon", 1.0)):
        numbers = rng.poisson(mean, events)
        parts = {"pt": rng.exponential(40, sum(numbers)) + 10, "eta": rng.normal(0, 1.5, sum(numbers))}
        parts |= {"phi": rng.uniform(-3.14, 3.14, sum(numbers)), "mass": rng.uniform(0, 20, sum(numbers))}
        parts["btag"] = rng.random(sum(numbers))
        branches |= {f"{name}_{k}": ak.unflatten(v.astype(np.float32), numbers) for k, v in parts.items()}
    branches["MET_pt"] = rng.exponential(40, events).astype(np.float32)
    branches["MET_phi"] = rng.uniform(-3.14, 3.14, events).astype(np.float32)
    branches["genWeight"] = np.ones(events, np.float32)
    return branches


def written(folder: Path, seed: int, name: str, tree: str, **renamed: str) -> None:
    branches = {renamed.get(key, key): values for key, values in draw(seed).items()}
    with uproot.recreate(folder / f"{name}.root") as file:
        file.mktree(tree, {key: ak.type(ak.Array(values)).content for key, values in branches.items()}).extend(branches)


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    """Two samples, of which one has a layout of its own, described as coffea does."""
    folder = tmp_path_factory.mktemp("everything")
    written(folder, 1, "s", "Events")
    written(folder, 2, "b", "Events", MET_pt="PuppiMET_pt")
    described = {
        name: {"files": {f"{name}.root": "Events"}, "metadata": {"xsec_pb": 1.0, "nevts_total": 400}} for name in "sb"
    }
    (folder / "fileset.json").write_text(json.dumps(described))
    return Workflow(
        name="everything",
        title="Everything",
        analysis=Analysis(
            [objects, kinematic],
            [Channel(name, name, Regular(20, -10.0, 100.0, flow="fold")) for name in QUANTITIES]
            + [Channel(name, "multiplicity", Regular(10, 0.0, 100.0), region=name) for name in ("many", "a", "b")],
            CountingModel(["s"], 0.1),
        ),
        parameters=Parameters(
            jet_pt=Parameter(25.0, bounds=(15, 60), width=5.0),
            low=Parameter(0.3, bounds=(0.1, 0.5)),
            size=Parameter(0.4, bounds=(0.1, 0.5)),
        ),
        processes=[Process("s", signal=True), Process("b")],
        luminosity=1000.0,
        data=folder,
        layouts={"b": Layout(branches={"MET_pt": "PuppiMET_pt"})},
    )


@dataclasses.dataclass
class _Point:
    """As much of a point of a result as the export looks at."""

    parameters: Parameters
    hard_held_out: object
    cutflow: object


@pytest.fixture(scope="module")
def point(workflow):
    """The cut values, and what they fill on held-out events."""
    found, fileset = located(workflow)
    with jax.enable_x64(True):
        events = load_events(found, fileset).held_out
        histograms = found.analysis.histograms(events, found.parameters, Hard())
    names = dict.fromkeys(events.processes, 1.0)
    evaluation = dataclasses.make_dataclass("_Evaluation", ["histograms", "yields"])(histograms, names)
    raw = dataclasses.make_dataclass("_Cutflow", ["raw"])(np.full((1, 2), 200.0))
    return _Point(found.parameters, evaluation, raw)


def exported(workflow, point, folder):
    found, fileset = located(workflow)
    with jax.enable_x64(True):
        return write_selection(RunFolder.create(folder), found, point, fileset)


def test_every_function_and_method_is_there():
    for module in (kinematics, reconstruction):
        assert [name for name in module.__all__ if not runtime.is_known(name)] == []
    for ours, theirs in (
        (Objects, runtime.objects.Objects),
        (Events, runtime.objects.Events),
        (Momentum, runtime.formulas.Momentum),
    ):
        public = {name for name, value in inspect.getmembers(ours) if not name.startswith(("_", "tree_", "of"))}
        assert {name for name in public - {"order"} if not hasattr(theirs, name)} == set(), ours


def test_all_of_it_fills_the_same_bins(workflow, point, tmp_path):
    told = exported(workflow, point, tmp_path / "run")
    assert told.agrees, told.told
    assert "run on 400 held-out events, it fills all 336 bins" in told.told
    assert "rounding" not in told.told
    for channel in workflow.analysis.channels:
        assert np.count_nonzero(point.hard_held_out.histograms[channel.name].sumw) > 4


def test_another_selection_is_told(workflow, point, tmp_path):
    counts = point.hard_held_out.histograms["lists"]
    moved = dataclasses.replace(counts, sumw=np.roll(np.asarray(counts.sumw), 1, axis=1))
    histograms = {**point.hard_held_out.histograms, "lists": moved}
    other = dataclasses.replace(point, hard_held_out=dataclasses.replace(point.hard_held_out, histograms=histograms))
    told = exported(workflow, other, tmp_path / "run")
    assert told.written
    assert not told.agrees
    assert told.told.startswith("selection.py does not select what the run selected: channel 'lists', process '")


def test_a_script_that_stops_is_told_with_its_line(workflow, point, tmp_path):
    @stage(reads=("Jet_pt",))
    def odd(events, cut):
        return events.with_field(multiplicity=events.Jet.probability)

    other = dataclasses.replace(workflow, analysis=dataclasses.replace(workflow.analysis, stages=[odd]))
    told = exported(other, point, tmp_path / "run")
    assert not told.agrees
    assert "selection.py does not run: " in told.told
    assert told.told.endswith(": return events.with_field(multiplicity=events.Jet.probability))")


def test_events_for_coffea_and_columns_for_rdataframe(workflow, tmp_path):
    found, fileset = located(workflow)
    script = tmp_path / "selection.py"
    script.write_text(selection_script(found, found.parameters, fileset))
    names = runpy.run_path(str(script))
    filled = names["histograms"](fileset.source)
    with uproot.open(workflow.data / "s.root") as file:
        # what NanoEvents are to a stage: collections, and fields of collections
        events = runtime.filling.read_events(file.file_path, names["COLUMNS"] + ["genWeight"], tree="Events")
    for key, histogram in names["of_nanoevents"](events, "s").items():
        np.testing.assert_allclose(histogram.values(flow=True), filled[tuple(key.split("/"))].values(flow=True))
    names["write"](fileset.source, tmp_path / "columns.root")
    with uproot.open(tmp_path / "columns.root") as file:
        assert file.keys(cycle=False) == ["s", "b"]
        told = file["s"].arrays()
    assert len(told) == 400
    kept = told[told.passed & told.in_many]
    inside = (kept.multiplicity >= 0) & (kept.multiplicity < 100)
    assert ak.sum(kept.weight[inside]) == pytest.approx(filled["many", "s"].sum().value)


def test_what_is_not_written_is_told(workflow, point, tmp_path):
    limit = 50.0

    @stage(reads=("MET_pt",))
    def closure(events, cut):
        return events.select(events.MET.pt > limit).with_field(multiplicity=events.MET.pt)

    @stage(reads=("MET_pt",))
    def uses_jax(events, cut):
        return events.select(jax.nn.relu(events.MET.pt) > 0.5)

    found = dataclasses.replace(workflow, analysis=dataclasses.replace(workflow.analysis, stages=[closure]))
    text = selection_script(found, found.parameters, Fileset.load(workflow.data))
    assert "limit = 50.0" in text
    found = dataclasses.replace(workflow, analysis=dataclasses.replace(workflow.analysis, stages=[uses_jax]))
    told = exported(found, point, tmp_path / "run")
    assert not told.written
    assert not (tmp_path / "run" / "selection.py").exists()
    assert told.told.startswith("there is no selection.py: stage function 'uses_jax' cannot be exported")
    assert "(test_export_everything.py, line " in told.told


def test_columns_for_rdataframe_are_names_of_cpp_and_none_is_lost():
    """Steps that differ by a sign only, an observable that is called as a column that is there anyway."""
    steps = ["2 jets", ">= 2 jets", "2 jets!", "(b tag)", "\u03c3", "class"]
    columns = ak.zip({name: np.full(3, 7.0) for name in ("passed", "4l_mass", "class")}, depth_limit=1)
    events = runtime.objects.Events(columns, np.full(3, 2.0)).categorise(**{"4j2b": np.zeros(3, bool)})
    events.cutflow = {step: np.arange(3) == number for number, step in enumerate(steps)}
    told = runtime.elsewhere.event_columns(events, {n: (n, None, None) for n in ("passed", "4l_mass", "class")})
    assert len(told) == 2 + len(steps) + 2 + 3
    assert all(re.fullmatch(r"[A-Za-z_]\w*", name, flags=re.ASCII) for name in told)
    assert {"weight", "passed", "after_b_tag", "in_4j2b", "passed_2", "_4l_mass", "_class"} <= set(told)
    for number, name in enumerate(("after_2_jets", "after_2_jets_2", "after_2_jets_3")):
        assert told[name].tolist() == (np.arange(3) == number).tolist()
