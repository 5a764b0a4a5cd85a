"""Web servers that are slow, busy or lie: an error with the reason, and never numbers of two versions of a file."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import uproot

from hepgrad.workflows import InputError, Sample, read_events
from hepgrad.workflows.cache import Cache
from hepgrad.workflows.read.files import tree
from hepgrad.workflows.read.reader import Request, StoredSample
from hepgrad.workflows.read.servers import web
from hepgrad.workflows.read.servers.state import state_of

EVENTS = 3000


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
def server(range_server, tmp_path, monkeypatch):
    monkeypatch.setattr(tree, "PAUSES", (0.0, 0.01, 0.0))
    write(tmp_path / "served" / "a.root", 0)
    with range_server.serving(tmp_path / "served") as server:
        yield server


def write(path: Path, seed: int) -> None:
    """Write numbers that do not compress: files of one size, whatever the numbers are."""
    path.parent.mkdir(exist_ok=True)
    values = {name: np.random.default_rng(seed).random(EVENTS).astype(np.float32) for name in ("MET_pt", "other")}
    with uproot.recreate(path, compression=None) as file:
        events = file.mktree("Events", dict.fromkeys(values, np.float32))
        for part in np.split(np.arange(EVENTS), 3):
            events.extend({name: each[part] for name, each in values.items()})


def swapped(server) -> None:
    """Put another file of the same size into the place of the one that is served."""
    path, size = server.folder / "a.root", (server.folder / "a.root").stat().st_size
    write(server.folder / "b.root", 1)
    assert (server.folder / "b.root").stat().st_size == size
    os.replace(server.folder / "b.root", path)


def test_requests_name_the_version_and_ask_for_no_encoding(server):
    expected = read_events(server.folder / "a.root", ["MET_pt"])
    assert read_events(server.url("a.root"), ["MET_pt"]).tolist() == expected.tolist()
    tag = state_of(server.url("a.root"))["state"]
    assert server.asked
    for headers in server.asked:
        assert (headers["If-Match"], headers["If-Range"]) == (tag, tag)
        assert headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("longer", "asked for \\d+ bytes, the server announces \\d+"),
        ("without end", "asked for \\d+ bytes, the server sends more"),
        ("other range", "asked for bytes \\d+ to \\d+, the server sent \\d+ to"),
        ("other size", "a\\.root changed while it was read: it has \\d+ bytes on the server now"),
        ("no ranges", "the server does not send parts of files"),
        ("encoded", "the server sent a part of the file encoded as 'gzip'"),
        ("other version", "a\\.root changed while it was read: its entity tag or time on the server is another"),
        ("elsewhere", "the server redirects to file:///etc/hostname, which is no web address"),
    ],
)
@pytest.mark.parametrize("healthy", [0, 2])
def test_answers_that_are_not_what_was_asked_for(server, fault, message, healthy):
    server.broken, server.healthy = fault, healthy
    sent = server.answers
    with pytest.raises(InputError, match=message):
        read_events(server.url("a.root"), ["MET_pt"])
    # nothing is to be hoped for from asking again
    assert server.answers < sent + healthy + 4


@pytest.mark.parametrize("moment", ["before the first", "in the middle", "after the last"])
def test_a_file_that_is_swapped_is_noticed_whenever_it_happens(server, tmp_path, moment):
    sample = Sample("t", (server.url("a.root"),), tmp_path, weight="")
    cache = Cache(tmp_path / "cache")

    def read_while_it_is_swapped(read):
        write(server.folder / "a.root", 0)
        done = []

        def once():
            if not done:
                done.append(swapped(server))

        server.swap = once
        server.faults = {"before the first": ["swap"], "in the middle": ["", "", "swap"]}.get(moment, [])
        if moment == "after the last":
            last = server.answers
            StoredSample.read(sample, Request(("MET_pt",)))
            server.faults = [""] * (server.answers - last - 1) + ["swap"]
            done.clear()
        with pytest.raises(InputError, match="changed while it was read"):
            read(sample, Request(("MET_pt",)))
        assert done

    read_while_it_is_swapped(StoredSample.read)
    read_while_it_is_swapped(cache.read)
    assert cache.entries() == cache.incomplete() == []


def test_a_local_file_that_changes_while_it_is_read(server):
    path = server.folder / "a.root"
    chunks = tree.iterate_tree(str(path), ["MET_pt"], tree="Events", chunk=1000)
    next(chunks)
    swapped(server)
    with pytest.raises(InputError, match=r"a\.root changed while it was read"):
        list(chunks)


def test_a_busy_server_is_asked_again_when_it_says_so(server, monkeypatch):
    expected = read_events(server.folder / "a.root", ["MET_pt"])
    server.faults = ["later", "", "later", "later", ""]
    assert read_events(server.url("a.root"), ["MET_pt"]).tolist() == expected.tolist()
    assert not server.faults
    server.broken = "later"
    monkeypatch.setattr(web, "TRIES", 2)
    with pytest.raises(InputError, match="the server answers 429"):
        read_events(server.url("a.root"), ["MET_pt"])


@pytest.mark.parametrize(("told", "seconds"), [("7", 7.0), ("", None), ("soon", None), ("-3", None)])
def test_how_long_a_server_asks_to_wait(told, seconds):
    assert web._retry_after({"Retry-After": told}) == seconds


def test_a_date_until_which_a_server_asks_to_wait():
    assert web._retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    assert 55 < web._retry_after({"Retry-After": later}) <= 60


def test_a_server_that_says_nothing_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(web, "TIMEOUT", 0.2)
    server.broken = "silence"
    began = time.monotonic()
    with pytest.raises(InputError, match=r"a\.root cannot be read, 4 times in a row: .*nothing came from the server"):
        read_events(server.url("a.root"), ["MET_pt"])
    assert time.monotonic() - began < 20


def test_waiting_has_a_limit_by_default():
    assert web.TIMEOUT == 30.0
