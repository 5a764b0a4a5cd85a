"""Reading as a coffea processor: the same events to the bit, whatever the executor, and the same words for faults."""

from __future__ import annotations

import json
import sys

import awkward as ak
import jax
import numpy as np
import pytest
import uproot

from hepgrad.workflows import Fileset, InputError, Layout, Sample
from hepgrad.workflows.backends import InMemory
from hepgrad.workflows.read import CoffeaReader
from hepgrad.workflows.read.collect import Recipe
from hepgrad.workflows.read.reader import Request, StoredSample

processor = pytest.importorskip("coffea.processor", reason="needs hepgrad's extra `coffea`, which `test` does not have")

CHUNK = 50


@pytest.fixture
def folder(tiny, tmp_path):
    """The tiny events, with two files for top: 301 and 299 events."""
    folder = tiny.write_events(tmp_path / "events")
    branches = tiny.draw("top")
    (folder / "top.root").unlink()
    for name, part in (("top_a", slice(0, 301)), ("top_b", slice(301, None))):
        tiny.write_tree(folder / f"{name}.root", {k: v[part] for k, v in branches.items()})
    about = json.loads((folder / "fileset.json").read_text())
    about["top"]["nominal"]["files"] = [{"path": "top_a.root", "nevts": 301}, {"path": "top_b.root", "nevts": 299}]
    (folder / "fileset.json").write_text(json.dumps(about))
    return folder


def central(events):
    """Keep the first two jets, and events with missing momentum."""
    return ak.with_field(events, events.Jet[:, :2], "Jet")[events.MET.pt > 10]


def recipe(tiny, folder, cache=None, **how):
    request = Request(tuple(how.pop("reads", tiny.TINY.analysis.reads)), **how)
    return Recipe(tiny.TINY.ingredients(Fileset.load(folder)), request, cache)


def top(recipe):
    return next(sample for sample in recipe.samples() if sample.name == "top")


def runner(executor=None, **options):
    executor = executor or processor.IterativeExecutor(status=False)
    return processor.Runner(executor, **{"chunksize": CHUNK, "metadata_cache": {}, **options})


def assert_same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("skim", [None, central])
def test_same_events_to_the_bit(tiny, folder, skim):
    wanted = recipe(tiny, folder, skim=skim)
    expected = InMemory().load(wanted, block_size=512)
    told = []
    backend = InMemory(reader=CoffeaReader(runner()))
    found = backend.load(wanted, block_size=512, watch=told.append)
    assert_same((found.train, found.held_out), (expected.train, expected.held_out))
    assert [(r.sample, r.files, r.done, r.events) for r in told][1] == ("top", 2, 2, 600)


def test_chunks_from_other_processes(tiny, folder):
    """They come back in any order."""
    wanted = recipe(tiny, folder)
    workers = processor.FuturesExecutor(workers=2, status=False)
    sample = top(wanted)
    found = CoffeaReader(runner(workers)).read(sample, wanted.request)
    expected = wanted.read(sample)
    assert (found.events, found.factors) == (expected.events, expected.factors)
    for one, other in zip(found.halves, expected.halves, strict=True):
        assert len(one) == 12 and len(other) == 2
        for place in other[0].values:
            numbers = [np.concatenate([piece.values[place] for piece in half]) for half in (one, other)]
            np.testing.assert_array_equal(*numbers)
            assert numbers[0].dtype == numbers[1].dtype


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("Jet_pt", None, r"top_b\.root: tree 'Events' has no branch 'Jet_pt'; it has .*MET_pt"),
        ("genWeight", np.full(299, np.nan, np.float32), r"sample 'top': 50 of 50 values of genWeight are NaN .*top_b"),
    ],
)
def test_faults_in_a_file(tiny, folder, name, values, message):
    branches = {k: v[301:] for k, v in tiny.draw("top").items()} | {name: values}
    tiny.write_tree(folder / "top_b.root", {k: v for k, v in branches.items() if v is not None})
    with pytest.raises(InputError, match=message):
        recipe(tiny, folder, cache=CoffeaReader(runner())).collect()


def test_files_that_cannot_be_read(tiny, folder):
    reading = recipe(tiny, folder, cache=CoffeaReader(runner()))
    whole = (folder / "top_b.root").read_bytes()
    (folder / "top_b.root").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"top_b\.root cannot be read; it is truncated, damaged or not a ROOT file"):
        reading.collect()
    (folder / "top_b.root").unlink()
    with pytest.raises(InputError, match=r"there is no file .*top_b\.root"):
        reading.collect()


def test_files_without_events(tiny, folder):
    """One adds nothing; when all are empty that is an error."""
    wanted = recipe(tiny, folder, cache=CoffeaReader(runner()))
    empty = {k: v[:0] for k, v in tiny.draw("top").items()}
    tiny.write_tree(folder / "top_a.root", empty)
    assert wanted.read(top(wanted)).events == 299
    tiny.write_tree(folder / "top_b.root", empty)
    fresh = recipe(tiny, folder, cache=CoffeaReader(runner()))
    with pytest.raises(InputError, match=r"top_b\.root: tree 'Events' has no events"):
        fresh.read(top(fresh))


def test_collections_keep_the_order_of_the_file(tiny, folder):
    branches = {k: v[301:] for k, v in tiny.draw("top").items()}
    branches["Jet_pt"] = branches["Jet_pt"][:, ::-1]
    tiny.write_tree(folder / "top_b.root", branches)
    wanted = recipe(tiny, folder, cache=CoffeaReader(runner()))
    even, _ = wanted.read(top(wanted)).halves
    # of 301 events before them, hence the second, the fourth, ...
    here = np.concatenate([piece.values["Jet", "pt"] for piece in even])[-ak.count(branches["Jet_pt"][1::2]) :]
    np.testing.assert_array_equal(here, ak.to_numpy(ak.flatten(branches["Jet_pt"][1::2])))


@pytest.mark.parametrize("kind", ["mktree", "mkrntuple"])
def test_other_names_and_units(tiny, tmp_path, kind):
    """Momenta in MeV under other names, as TTree and as RNTuple."""
    branches = {"AnalysisJetsAuxDyn_pt": 1000 * tiny.draw("top")["Jet_pt"], "met": tiny.draw("top")["MET_pt"]}
    with uproot.recreate(tmp_path / "top.root") as file:
        tree = getattr(file, kind)("Tree", {k: ak.type(ak.Array(v)).content for k, v in branches.items()})
        tree.extend(branches)
    layout = Layout(branches={"Jet_*": "AnalysisJetsAuxDyn_*", "MET_pt": "met"}, factors={"Jet_pt": 0.001})
    sample = Sample("top", (str(tmp_path / "top.root"),), tmp_path, weight="")
    request = Request(("Jet_pt", "MET_pt"), "Tree", layout)
    found, expected = (read(sample, request).halves for read in (CoffeaReader(runner()).read, StoredSample.read))
    for one, other in zip(found, expected, strict=True):
        for place, values in other[0].values.items():
            np.testing.assert_array_equal(np.concatenate([piece.values[place] for piece in one]), values)


@pytest.mark.parametrize("option", [{"skipbadfiles": True}, {"maxchunks": 1}])
def test_a_runner_that_leaves_events_out_is_refused(option):
    with pytest.raises(InputError, match=rf"the coffea runner has {next(iter(option))}=\S+, which leaves events out"):
        CoffeaReader(runner(**option))


def test_bad_files_are_not_skipped(tiny, folder):
    with pytest.raises(InputError, match="do not skip bad files"):
        recipe(tiny, folder, cache=CoffeaReader(runner()), skip_bad_files=True).collect()


def test_without_coffea(monkeypatch):
    whole = runner()
    monkeypatch.setitem(sys.modules, "coffea.processor", None)
    with pytest.raises(InputError, match="install hepgrad with its extra `coffea`"):
        CoffeaReader(whole)
