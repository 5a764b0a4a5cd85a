"""Files on a web server: the same events as from a disk, fewer bytes than the files have, and patience with servers."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from hepgrad.workflows import Fileset, InputError, InputWarning, load, read_events
from hepgrad.workflows.cache import Cache
from hepgrad.workflows.read.files import tree
from hepgrad.workflows.read.reader import Request, StoredSample

EVENTS = 6000


@pytest.fixture(scope="module")
def range_server():
    specification = importlib.util.spec_from_file_location(
        "range_server", Path(__file__).parents[2] / "range_server.py"
    )
    module = importlib.util.module_from_spec(specification)
    sys.modules["range_server"] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def server(range_server, tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    with range_server.serving(folder) as server:
        yield server


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(tree, "PAUSES", (0.0, 0.01, 0.0))


def write(path: Path) -> Path:
    """Write several clusters of incompressible numbers, of which a test reads a part."""
    rng = np.random.default_rng(0)
    with uproot.recreate(path) as file:
        types = {"Jet_pt": "var * float32", "Jet_eta": "var * float32", "MET_pt": np.float32, "genWeight": np.float32}
        events = file.mktree("Events", {**types, **{f"other_{i}": np.float64 for i in range(20)}})
        for _ in range(3):
            n = EVENTS // 3
            pt = ak.values_astype(ak.unflatten(rng.random(2 * n), np.full(n, 2)), np.float32)[:, ::-1]
            pt = ak.sort(pt, ascending=False)
            events.extend(
                {
                    "Jet_pt": pt,
                    "Jet_eta": pt / 2,
                    "MET_pt": rng.random(n).astype(np.float32),
                    "genWeight": np.ones(n, np.float32),
                    **{f"other_{i}": rng.random(n) for i in range(20)},
                }
            )
    return path


COLUMNS = ["Jet_pt", "Jet_eta", "MET_pt"]


def test_streaming_gives_the_same_and_transfers_less(server):
    path = write(server.folder / "a.root")
    assert read_events(server.url("a.root"), COLUMNS).tolist() == read_events(path, COLUMNS).tolist()
    assert 0 < server.sent < path.stat().st_size / 3


def test_a_whole_fileset_from_a_server(server, tmp_path):
    write(server.folder / "a.root")
    write(server.folder / "b.root")
    described = {"sumw_total": 2.0 * EVENTS, "xsec_pb": 1.0}
    splits = []
    for folder, base in ((server.folder, ""), (tmp_path, f"{server.base}/")):
        files = [{"path": f"{base}{name}.root"} for name in "ab"]
        (folder / "fileset.json").write_text(json.dumps({"top": {"nominal": {"files": files, **described}}}))
        process = importlib.import_module("hepgrad.workflows").Process("top")
        splits.append(load(Fileset.load(folder), [process], COLUMNS, luminosity=1.0))
    for one, other in zip(*([s.train.columns.MET.pt, s.train.columns.Jet.pt.content] for s in splits), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("fault", ["cut", "busy"])
def test_a_server_that_fails_now_and_then(server, fault):
    path = write(server.folder / "a.root")
    server.faults = ["", fault, "", "", fault]
    assert read_events(server.url("a.root"), COLUMNS).tolist() == read_events(path, COLUMNS).tolist()
    assert not server.faults


def test_chunks_that_came_through_are_not_read_twice(server, monkeypatch):
    """The connection breaks after the first chunk, for good: its events are there, and their share is told."""
    write(server.folder / "a.root")
    chunks = tree.iterate_tree(server.url("a.root"), ["MET_pt"], tree="Events", chunk=EVENTS // 3)
    assert len(next(chunks)) == EVENTS // 3
    server.broken, server.healthy = "cut", server.answers
    with pytest.raises(
        tree.BadFile, match=r"a\.root cannot be read, 4 times in a row: the server does not deliver it"
    ) as caught:
        list(chunks)
    assert caught.value.share == pytest.approx(1 / 3)


@pytest.mark.parametrize("fault", ["cut", "busy"])
def test_a_server_that_fails_for_good(server, fault):
    write(server.folder / "a.root")
    server.broken = fault
    with pytest.raises(InputError, match=r"a\.root cannot be read, 4 times in a row: the server does not deliver it"):
        read_events(server.url("a.root"), COLUMNS)


def test_no_such_file_is_not_asked_for_again(server):
    with pytest.raises(InputError, match=r"there is no file http://127\.0\.0\.1:\d+/nothing\.root$"):
        read_events(server.url("nothing.root"), COLUMNS)


def test_nobody_listens(range_server, tmp_path):
    with range_server.serving(tmp_path) as server:
        url = server.url("a.root")
    with pytest.raises(InputError, match=r"a\.root cannot be read, 4 times in a row: the server does not deliver it"):
        read_events(url, COLUMNS)


def test_truncated_file_on_a_server(server):
    """It is not asked for again: what a server has is what it has."""
    path = write(server.folder / "a.root")
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(InputError, match=r"a\.root cannot be read; it is truncated, damaged or not a ROOT file"):
        read_events(server.url("a.root"), COLUMNS)


def test_wrong_tree_and_branch_on_a_server(server):
    write(server.folder / "a.root")
    with pytest.raises(InputError, match=r"a\.root: expected a tree 'Delphes', the file has 'Events'"):
        read_events(server.url("a.root"), COLUMNS, tree="Delphes")
    with pytest.raises(InputError, match=r"a\.root: tree 'Events' has no branch 'MET_phi'; it has MET_pt"):
        read_events(server.url("a.root"), ["MET_phi"])


def request(server, tmp_path, files=("a.root",)):
    fileset = {"top": {"nominal": {"files": [server.url(name) for name in files], "nevts_total": EVENTS, "xsec_pb": 1}}}
    (tmp_path / "fileset.json").write_text(json.dumps(fileset))
    return Fileset.load(tmp_path)["top"], Request(tuple(COLUMNS))


def test_the_cache_of_a_remote_file(server, tmp_path):
    """The second time only its entity tag is asked for; a file that changed is read again."""
    write(server.folder / "a.root")
    sample, what = request(server, tmp_path)
    cache = Cache(tmp_path / "cache")
    first = cache.read(sample, what)
    sent = server.sent
    second = cache.read(sample, what)
    assert server.sent == sent
    for one, other in zip(first.halves, second.halves, strict=True):
        np.testing.assert_array_equal(one[0].values["Jet", "pt"], other[0].values["Jet", "pt"])
    write(server.folder / "a.root")
    cache.read(sample, what)
    assert server.sent > sent


def test_a_server_that_does_not_tell_of_changes(server, tmp_path):
    write(server.folder / "a.root")
    server.tells_state = False
    sample, what = request(server, tmp_path)
    cache = Cache(tmp_path / "cache")
    with pytest.warns(InputWarning, match="sample 'top' is not kept in the cache: a server tells nothing"):
        assert cache.read(sample, what).events == EVENTS
    assert cache.entries() == cache.incomplete() == []


def test_a_broken_connection_leaves_nothing_in_the_cache(server, tmp_path):
    write(server.folder / "a.root")
    sample, what = request(server, tmp_path)
    cache = Cache(tmp_path / "cache")
    server.broken, server.healthy = "cut", 5
    with pytest.raises(InputError, match="the server does not deliver it"):
        cache.read(sample, what)
    assert cache.entries() == cache.incomplete() == []
    server.broken = ""
    found = cache.read(sample, what)
    expected = StoredSample.read(sample, what)
    np.testing.assert_array_equal(found.halves[1][0].values["MET", "pt"], expected.halves[1][0].values["MET", "pt"])
