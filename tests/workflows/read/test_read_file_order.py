"""Reading keeps the order of the file, and whatever asks for the leading object finds it all the same."""

from __future__ import annotations

import json

import awkward as ak
import jax
import numpy as np
import pytest
import uproot

import hepgrad.ragged as rg
from hepgrad.analysis import Analysis, Channel, CountingModel, Dataset, Objects, Parameter, Parameters, Regular, stage
from hepgrad.analysis.doctor.branches import examine_branches
from hepgrad.analysis.doctor.patient import Patient
from hepgrad.analysis.kinematics import momentum
from hepgrad.analysis.reconstruction import TopMasses, joint_systems, leading_momentum, top_pairs, trijets
from hepgrad.workflows import Fileset, Process, load, read_events
from hepgrad.workflows.cache import Cache
from hepgrad.workflows.export.runtime import objects as exported
from hepgrad.workflows.skim import Loosest

COLUMNS = ("Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass", "Jet_btag")
EVENTS = 60


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["nano_dy.root", "nano_tt_v12.root"])
def test_positions_point_at_the_same_objects_whether_pt_is_read_or_not(shared_data, name):
    path = shared_data / "coffea" / name
    with uproot.open(path) as file:
        tree = file["Events"]
        there = set(tree.keys())
        positions = sorted(branch for branch in there if "Idx" in branch and tree[branch].typename.endswith("[]"))
        momenta = sorted({f"{each.partition('_')[0]}_pt" for each in there} & there)
        # the momenta of everything that anything may point at
        stored = tree.arrays([*positions, *momenta])
    assert len(positions) > 10
    alone = read_events(path, positions)
    beside = read_events(path, [*momenta, *positions])
    for branch in positions:
        collection, _, field = branch.partition("_")
        for events in (alone, beside):
            assert ak.array_equal(events[collection, field], stored[branch]), branch
    for branch in momenta:
        if stored[branch].ndim > 1:
            assert ak.array_equal(beside[branch.partition("_")[0]].pt, stored[branch]), branch


def draw(rng: np.random.Generator) -> dict[str, ak.Array | np.ndarray]:
    counts = rng.integers(0, 7, EVENTS)
    size = int(counts.sum())
    flat = {
        "Jet_pt": rng.exponential(40, size) + 20,
        "Jet_eta": rng.normal(0, 1, size),
        "Jet_phi": rng.uniform(-3, 3, size),
        "Jet_mass": rng.uniform(1, 10, size),
        # coarse, so that there are ties
        "Jet_btag": rng.integers(0, 4, size) / 4,
    }
    branches = {name: ak.unflatten(values.astype(np.float32), counts) for name, values in flat.items()}
    return {**branches, "genWeight": np.ones(EVENTS, np.float32)}


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """The same events with jets by falling pt, and with jets in any order."""
    folder = tmp_path_factory.mktemp("events")
    branches = draw(np.random.default_rng(4))
    order = ak.argsort(branches["Jet_pt"], ascending=False)
    falling = {name: values[order] if name.startswith("Jet") else values for name, values in branches.items()}
    about = {"sumw_total": EVENTS, "xsec_pb": 1.0}
    for name, written in (("falling", falling), ("any", branches)):
        tiny.write_tree(folder / f"{name}.root", written)
    names = ("falling", "any")
    (folder / "fileset.json").write_text(
        json.dumps({name: {"nominal": {"files": [f"{name}.root"], **about}} for name in names})
    )
    return folder


def loaded(folder, name, **options) -> Dataset:
    return load(Fileset.load(folder), [Process(name)], COLUMNS, luminosity=float(EVENTS), **options).train


def first_block(data: Dataset):
    return jax.tree.map(lambda leaf: leaf[0], data.events)


def told(jets: Objects) -> dict[str, object]:
    """Everything that depends on which jet comes first."""
    jets = jets.select((jets.pt > 30.0) & (abs(jets.eta) < 1.5))
    pairs = jets.combinations(2, fields=["first", "second"])
    zero = rg.sum(jets.pt, axis=1) * 0
    lepton, neutrino = momentum(zero + 40.0, zero, zero - 2.0, zero), momentum(zero + 50.0, zero, zero + 3.0, zero)
    tops = top_pairs(jets, lepton, neutrino, TopMasses(10.0, 15.0, 20.0)).ordered_by("chi_square", ascending=True)
    return {
        "leading": jets.leading("eta"),
        "subleading": jets.subleading("eta", fill_value=0.0),
        "third": jets.nth("phi", 3),
        "by tag": jets.leading("phi", by="btag"),
        "smallest": jets.min("pt"),
        "largest": jets.max("mass"),
        "pairs": pairs.with_field(difference=pairs.first.eta - pairs.second.phi).leading("difference"),
        "joint": joint_systems(jets, jets).leading("mass"),
        "trijet": trijets(jets, jets.btag > 0.3).leading("mass"),
        "top": tops.leading("mass"),
        "momentum": leading_momentum(jets).px,
        "again": jets.ordered_by("btag").nth("eta", 2),
        "together": Objects.concatenate([jets, jets]).leading("eta"),
        "rows": rg.firsts(jets.leading_first().eta, fill_value=0.0),
    }


@pytest.mark.thorough
def test_the_leading_object_is_the_same_in_any_order(folder):
    falling, stored = first_block(loaded(folder, "falling")), first_block(loaded(folder, "any"))
    assert falling.Jet.order is None
    assert not np.array_equal(rg.firsts(falling.Jet.pt, fill_value=0), rg.firsts(stored.Jet.pt, fill_value=0))
    assert stored.Jet.fields == falling.Jet.fields
    for name, expected in told(falling.Jet).items():
        np.testing.assert_allclose(told(stored.Jet)[name], expected, rtol=1e-6, err_msg=name)


def test_a_data_set_made_of_arrays_knows_it_too(folder):
    events = read_events(folder / "any.root", COLUMNS)[::2]
    data = Dataset.from_awkward({"any": events}, {"any": np.ones(len(events))})
    jets, expected = first_block(data).Jet, first_block(loaded(folder, "falling")).Jet
    # what follows fills up the block
    assert rg.to_list(jets.pt)[: len(events)] == events.Jet.pt.tolist()
    np.testing.assert_array_equal(jets.leading("eta")[: len(events)], expected.leading("eta"))


def test_a_skim_a_cache_and_an_exported_script_know_it(folder, tmp_path):
    @stage(reads=("Jet_pt", "Jet_eta"))
    def central(events, cut):
        return events.select(events.Jet.leading("eta", fill_value=9.0) < cut.eta)

    analysis = Analysis([central], [Channel("n", "one", Regular(1, 0, 2))], CountingModel(["any"], 0.1))
    parameters = Parameters(eta=Parameter(0.0, bounds=(-0.5, 0.5), width=0.0001))
    skim, cache = Loosest(analysis, parameters, margin=0), Cache(tmp_path / "cache")
    whole, skimmed = (loaded(folder, "any", skim=each, cache=cache) for each in (None, skim))

    def passing(data):
        jets, real = first_block(data).Jet, np.asarray(data.process[0]) == 0
        return np.sort(np.asarray(jets.leading("phi"))[real & np.asarray(jets.leading("eta", fill_value=9.0) < 0.0)])

    np.testing.assert_array_equal(passing(whole), passing(skimmed))
    assert len(passing(whole)) > 5

    events = read_events(folder / "any.root", COLUMNS)[::2]
    plain = exported.Objects.as_read(events.Jet)
    assert plain.leading("phi").tolist() == np.asarray(first_block(whole).Jet.leading("phi")).tolist()
    tagged = first_block(whole).Jet.ordered_by("btag").subleading("eta")
    assert plain.ordered_by("btag").subleading("eta").tolist() == np.asarray(tagged).tolist()


def test_the_doctor_knows_the_branch_that_tells_who_leads(folder):
    @stage(reads=("Jet_pt", "Jet_eta"))
    def observable(events, cut):
        return events.select(events.Jet.at_least(1)).with_field(eta=events.Jet.leading("eta"))

    analysis = Analysis([observable], [Channel("eta", "eta", Regular(4, -2, 2))], CountingModel(["any"], 0.1))
    data = load(Fileset.load(folder), [Process("any")], analysis.reads, luminosity=1.0).train
    assert not list(examine_branches(Patient.of(analysis, data, Parameters())))
