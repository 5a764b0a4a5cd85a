"""The cache: the same events as from the files, at once; complete or recognisably incomplete; never of other files."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
from pathlib import Path

import awkward as ak
import jax
import numpy as np
import pytest
import uproot

from hepgrad.workflows import Fileset, InputError, InputWarning, Layout, Sample, load
from hepgrad.workflows.cache import Cache
from hepgrad.workflows.cache.entry import EntryWriter
from hepgrad.workflows.cache.folder import mark, write_manifest
from hepgrad.workflows.cache.shard import ShardWriter, check_shard, open_shard
from hepgrad.workflows.cache.store import stored
from hepgrad.workflows.cli import program as cli
from hepgrad.workflows.read import simulated
from hepgrad.workflows.read.collect import Recipe
from hepgrad.workflows.read.packing.columns import Columns
from hepgrad.workflows.read.reader import Request, StoredSample
from hepgrad.workflows.read.trust.totals import Totals
from hepgrad.workflows.skim import Loosest


@pytest.fixture
def folder(tiny, tmp_path):
    return tiny.write_events(tmp_path / "events")


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def request_of(tiny, **changes):
    return Request(tuple(tiny.TINY.analysis.reads), **changes)


def load_tiny(tiny, folder, cache=None, **changes):
    arguments = {"luminosity": 1000.0, "block_size": 512, **changes}
    return load(Fileset.load(folder), tiny.TINY.processes, tiny.TINY.analysis.reads, cache=cache, **arguments)


def assert_equal(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


@pytest.fixture
def no_files(monkeypatch):
    """From now on no ROOT file can be opened."""

    def use():
        monkeypatch.setattr(uproot, "open", lambda *_, **__: pytest.fail("a ROOT file was opened"))

    return use


def test_with_and_without_a_cache_events_are_the_same_to_the_bit(tiny, folder, cache, no_files):
    without = load_tiny(tiny, folder)
    first = load_tiny(tiny, folder, cache)
    no_files()
    second = load_tiny(tiny, folder, cache)
    for split in (first, second):
        assert_equal(split.train, without.train)
        assert_equal(split.held_out, without.held_out)


def test_what_may_change_without_reading_again(tiny, folder, cache, no_files):
    load_tiny(tiny, folder, cache)
    fileset = json.loads((folder / "fileset.json").read_text())
    fileset["top"]["nominal"]["xsec_pb"] *= 2
    (folder / "fileset.json").write_text(json.dumps(fileset))
    no_files()
    expected = 2 * 2.0 * np.asarray(tiny.draw("top")["genWeight"]).sum() * 1.5 * 2000.0
    data = load_tiny(tiny, folder, cache, luminosity=2000.0, block_size=100).train
    weight = np.asarray(data.weight, float)[np.asarray(data.process) == 1].sum()
    generated = 1.25 * tiny.draw("top")["genWeight"].sum(dtype=float)
    assert weight == pytest.approx(expected / generated / 2, rel=0.05)


def touched(tiny, folder, cache):
    os.utime(folder / "top.root", ns=(1, 1))
    return request_of(tiny)


@pytest.mark.parametrize(
    "change",
    [
        touched,
        lambda tiny, folder, cache: request_of(tiny, tree="Events", layout=Layout(factors={"MET_pt": 2.0})),
        lambda tiny, folder, cache: request_of(tiny, skim=lambda events: events[events.MET.pt > 10]),
        lambda tiny, folder, cache: Request(("MET_pt",)),
    ],
    ids=["another time of change", "another layout", "a skim", "other columns"],
)
def test_what_makes_another_entry(tiny, folder, cache, change):
    sample = Fileset.load(folder)["top"]
    cache.read(sample, request_of(tiny))
    cache.read(sample, change(tiny, folder, cache))
    assert len(cache.entries()) == 2


def test_two_skims_are_told_apart_by_what_they_do(tiny, folder, cache):
    """Functions of the same name, with other numbers."""

    def skim_above(threshold):
        def skim(events):
            return events[events.MET.pt > threshold]

        return skim

    sample = Fileset.load(folder)["top"]
    met = tiny.draw("top")["MET_pt"]
    for threshold in (10.0, 40.0, 10.0):
        even, odd = cache.read(sample, request_of(tiny, skim=skim_above(threshold))).halves
        assert even[0].values["MET", "pt"].tolist() == [x for x in met[0::2] if x > threshold]
        assert odd[0].values["MET", "pt"].tolist() == [x for x in met[1::2] if x > threshold]
    assert len(cache.entries()) == 2


def test_the_derived_skim_is_known_by_bounds_not_by_the_start(tiny, folder, cache):
    sample = Fileset.load(folder)["top"]
    for parameters in (tiny.TINY.parameters, tiny.TINY.parameters.replace(met=55.0)):
        cache.read(sample, request_of(tiny, skim=Loosest(tiny.TINY.analysis, parameters)))
    assert len(cache.entries()) == 1
    cache.read(sample, request_of(tiny, skim=Loosest(tiny.TINY.analysis, parameters, margin=1.0)))
    assert len(cache.entries()) == 2


def test_a_skim_that_keeps_everything_that_passes_changes_no_yield(tiny, folder, cache):
    """Weights of each half are those of the whole, however many events the skim left in it."""

    def yields(split):
        data = split.held_out
        passed = np.asarray(data.columns.MET.pt) > 50
        weight, process = np.asarray(data.weight, float), np.asarray(data.process)
        return [weight[(process == i) & passed].sum() for i in range(3)]

    skimmed = load_tiny(tiny, folder, cache, skim=lambda events: events[events.MET.pt > 45])
    assert skimmed.held_out.weight.size < 0.5 * load_tiny(tiny, folder).held_out.weight.size
    np.testing.assert_allclose(yields(skimmed), yields(load_tiny(tiny, folder)), rtol=1e-6)


def test_jax_maps_the_files(tiny, folder, cache):
    """Columns reach JAX on a CPU without a copy: they are aligned, and the addresses are those of the maps."""
    (piece,), _ = cache.read(Fileset.load(folder)["top"], request_of(tiny)).halves
    for place in [("Jet", "pt"), ("MET", "pt")]:
        values = piece.values[place]
        assert values.ctypes.data % 64 == 0
        assert not values.flags.writeable
        assert jax.device_put(values).unsafe_buffer_pointer() == values.ctypes.data


def columns(events, seed=0):
    rng = np.random.default_rng(seed)
    count = rng.poisson(5, events)
    values = {
        ("Jet", "pt"): rng.random(count.sum()).astype(np.float32),
        ("Jet", "ok"): rng.random(count.sum()) > 0.5,
        ("run", ""): np.arange(events, dtype=np.uint64),
    }
    return Columns(events, values, {"Jet": np.append(0, np.cumsum(count))})


def test_shards_are_filled_to_the_last_event(tmp_path):
    """Chunks of any size go into shards of one size, with offsets of their own."""
    chunks = [columns(n, n) for n in (70, 1, 130, 99)]
    writer = EntryWriter(tmp_path / "entry", events=100)
    for chunk in chunks:
        writer.append((chunk, chunk.between(0, 0)))
    sample = writer.finish({"format": 1}, "a", Totals((300, 0), [])).load()
    pieces = sample.halves[0]
    assert [piece.events for piece in pieces] == [100, 100, 100]
    assert all(piece.offsets["Jet"][0] == 0 and piece.offsets["Jet"].dtype == np.int32 for piece in pieces)
    joined, expected = Columns.joined(pieces), Columns.joined(chunks)
    assert joined.to_awkward().tolist() == expected.to_awkward().tolist()
    assert not sample.halves[1]


def test_a_column_may_change_its_type_between_files(tmp_path):
    wider = columns(10)
    wider.values["Jet", "pt"] = wider.values["Jet", "pt"].astype(np.float64)
    writer = EntryWriter(tmp_path / "entry")
    for chunk in (columns(10), wider):
        writer.append((chunk, chunk))
    first, second = writer.finish({"format": 1}, "a", Totals((20, 20), [])).load().halves[0]
    assert (first.values["Jet", "pt"].dtype, second.values["Jet", "pt"].dtype) == (np.float32, np.float64)


def test_an_empty_collection_can_be_stored(tmp_path):
    none = Columns(3, {("Tau", "pt"): np.zeros(0, np.float32)}, {"Tau": np.zeros(4, np.int64)})
    writer = ShardWriter(tmp_path / "shard")
    assert writer.append(none) == 3
    described = writer.close()
    assert open_shard(tmp_path / "shard", described, {"Tau.pt.npy": ("Tau", "pt")}).to_awkward().Tau.pt.tolist() == [
        [],
        [],
        [],
    ]
    assert check_shard(tmp_path / "shard", described) == []


def change_one_byte(path: Path, position: int = -3) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.thorough
def test_no_more_than_a_few_chunks_are_in_memory(tmp_path, tiny):
    """A file of 24 MB goes through the cache in chunks of 1 MB."""
    events = 200_000
    rng = np.random.default_rng(0)
    count = rng.poisson(5, events // 20)
    with uproot.recreate(tmp_path / "a.root") as file:
        tree = file.mktree("Events", {f"Jet_{name}": "var * float32" for name in "abcdef"})
        for _ in range(20):
            values = ak.unflatten(rng.random(count.sum()).astype(np.float32), count)
            tree.extend({f"Jet_{name}": values for name in "abcdef"})
    sample = Sample("a", (str(tmp_path / "a.root"),), tmp_path, weight="")
    request = Request(tuple(f"Jet_{name}" for name in "abcdef"), chunk="1 MB")
    tracemalloc.start()
    stored = Cache(tmp_path / "cache").read(sample, request)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    total = sum(values.nbytes for half in stored.halves for piece in half for values in piece.values.values())
    assert total > 20e6
    assert most < total / 2


def test_verify_finds_one_changed_bit(tiny, folder, cache):
    cache.read(Fileset.load(folder)["top"], request_of(tiny))
    (entry,) = cache.entries()
    assert entry.faults() == []
    change_one_byte(entry.folder / "1" / "00000" / "Jet.pt.npy")
    assert [fault.rpartition("/")[2] for fault in entry.faults()] == ["Jet.pt.npy does not hold what was written"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text((folder / "manifest.json").read_text()[:-20]),
        lambda folder: change_one_byte(folder / "manifest.json", 40),
        lambda folder: (folder / "0" / "00000" / "MET.pt.npy").unlink(),
        lambda folder: (folder / "0" / "00000" / "Jet.pt.npy").write_bytes(b""),
        lambda folder: os.truncate(folder / "0" / "00000" / "Jet.offsets.npy", 200),
    ],
    ids=["no manifest", "cut manifest", "changed manifest", "no column", "empty column", "cut column"],
)
def test_a_damaged_entry_is_noticed_and_made_anew(tiny, folder, cache, damage):
    sample = Fileset.load(folder)["top"]
    expected = cache.read(sample, request_of(tiny)).halves[0][0].to_awkward().tolist()
    (entry,) = cache.entries()
    damage(entry.folder)
    with pytest.warns(InputWarning, match="it is read again from its files"):
        found = cache.read(sample, request_of(tiny))
    assert found.halves[0][0].to_awkward().tolist() == expected
    assert len(cache.entries()) == 1
    assert cache.entries()[0].faults() == []


def test_killed_while_it_writes(tiny, folder, cache):
    """What a killed process leaves is no entry, is listed as incomplete, and does not stand in the way."""
    code = """
        import os, signal, sys
        from pathlib import Path
        from hepgrad.workflows import Fileset
        from hepgrad.workflows.cache import Cache
        from hepgrad.workflows.read.reader import Request

        def killed(reading):
            if reading.events == 600 and reading.done == 1:
                os.kill(os.getpid(), signal.SIGKILL)

        sample = Fileset.load(Path(sys.argv[1]))["top"]
        Cache(Path(sys.argv[2])).read(sample, Request(("Jet_pt", "MET_pt"), chunk=100, watch=killed))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(folder), str(cache.folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert cache.entries() == []
    (left,) = cache.incomplete()
    assert list(left.rglob("Jet.pt.npy"))
    sample, what = Fileset.load(folder)["top"], Request(("Jet_pt", "MET_pt"))
    assert cache.read(sample, what).events == 600
    assert len(cache.entries()) == 1
    assert cache.clear(only_incomplete=True) == 1
    assert cache.incomplete() == [] and len(cache.entries()) == 1


def test_what_is_written_now_is_not_in_the_way(cache):
    """By this process, by one of another host, and by one of another host that has not written for two days."""
    name = "0" * 24
    folders = [
        cache.folder / f".{name}.{who}.part" for who in (f"{os.getpid()}@{platform.node()}", "1@other", "2@other")
    ]
    for folder in folders:
        folder.mkdir(parents=True)
    os.utime(folders[2], (time.time() - 2 * 86_400,) * 2)
    assert cache.incomplete() == [folders[2]]


def test_another_process_was_quicker(tiny, folder, cache, monkeypatch):
    """Two write the same entry; the second to finish takes that of the first."""
    sample, what = Fileset.load(folder)["top"], request_of(tiny)
    finish = EntryWriter.finish

    def after_another_one(writer, *arguments):
        monkeypatch.setattr(EntryWriter, "finish", finish)
        with monkeypatch.context() as other:
            other.setattr(os, "getpid", lambda: 2**22 + 1)
            cache.read(sample, what)
        return finish(writer, *arguments)

    monkeypatch.setattr(EntryWriter, "finish", after_another_one)
    assert cache.read(sample, what).events == 600
    assert len(cache.entries()) == 1
    assert [path.name for path in cache.folder.iterdir()] == [cache.entries()[0].folder.name]


def test_a_cache_that_cannot_be_written(tiny, folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"the cache .*file cannot be written: "):
        Cache(tmp_path / "file").read(Fileset.load(folder)["top"], request_of(tiny))


def test_clear_removes_nothing_else(tiny, folder, cache):
    load_tiny(tiny, folder, cache)
    (cache.folder / "notes.txt").write_text("mine")
    (cache.folder / "plots").mkdir()
    assert cache.clear() == 4
    assert sorted(path.name for path in cache.folder.iterdir()) == ["notes.txt", "plots"]
    assert Cache(cache.folder / "nothing").clear() == 0


def test_the_command(tiny, folder, cache, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    name = str(cache.folder)
    assert cli.main(["cache", "list", name]) == 2
    assert f"there is no cache {name}" in capsys.readouterr().err
    cache.folder.mkdir()
    assert cli.main(["cache", "list", name]) == 0
    assert "no samples in" in capsys.readouterr().out
    load_tiny(tiny, folder, cache)
    assert cli.main(["cache", "list", name]) == 0
    listed = capsys.readouterr().out
    assert all(sample in listed for sample in ("signal", "top", "multijet_low", "multijet_high"))
    assert cli.main(["cache", "verify", name]) == 0
    assert capsys.readouterr().out.count("as written") == 4
    entry = next(entry for entry in cache.entries() if entry.sample == "top")
    change_one_byte(entry.folder / "0" / "00000" / "MET.pt.npy")
    assert cli.main(["cache", "verify", name]) == 1
    assert "top: damaged" in (out := capsys.readouterr().out) and "MET.pt.npy does not hold what was written" in out
    assert cli.main(["cache", "clear", name]) == 0
    assert "removed 4 from" in capsys.readouterr().out
    assert cache.entries() == []


def test_chunks_are_the_same_as_the_whole(tiny, folder):
    """Halves are taken by the index in the sample, whatever the size of a chunk."""
    sample = Fileset.load(folder)["multijet_high"]
    whole, chunked = (StoredSample.read(sample, request_of(tiny, chunk=chunk)) for chunk in (10_000, 7))
    assert len(chunked.halves[0]) == 43
    for one, other in zip(whole.halves, chunked.halves, strict=True):
        assert ak.array_equal(one[0].to_awkward(), Columns.joined(other).to_awkward())


def test_parquet_holds_the_same(tiny, folder, cache, tmp_path, capsys):
    load_tiny(tiny, folder, cache)
    output = tmp_path / "parquet"
    assert cli.main(["cache", "export", str(cache.folder), "--output", str(output)]) == 0
    assert "wrote 8 files to" in capsys.readouterr().out
    expected = StoredSample.read(Fileset.load(folder)["top"], request_of(tiny)).halves
    for half in (0, 1):
        found = ak.from_parquet(output / f"top-{half}-00000.parquet")
        assert found.tolist() == expected[half][0].to_awkward().tolist()


def without_markers(folder):
    """Make an entry what a version before the markers and quick checksums would have written."""
    (folder / "hepgrad.json").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["checksum"]
    for shard in (shard for half in manifest["halves"] for shard in half):
        for about in shard["files"].values():
            del about["sum"]
    write_manifest(folder, manifest)


def test_an_entry_of_an_earlier_version_is_used_and_checked(tiny, folder, cache):
    sample, what = Fileset.load(folder)["top"], request_of(tiny)
    expected = cache.read(sample, what).halves[0][0].to_awkward().tolist()
    (entry,) = cache.entries()
    without_markers(entry.folder)
    assert cache.read(sample, what).halves[0][0].to_awkward().tolist() == expected
    change_one_byte(entry.folder / "0" / "00000" / "MET.pt.npy")
    with pytest.warns(InputWarning, match=r"MET.pt.npy does not hold what was written; it is read again"):
        assert cache.read(sample, what).halves[0][0].to_awkward().tolist() == expected
    without_markers(entry.folder)
    assert cache.clear() == 1


def test_a_damaged_entry_of_an_earlier_version_is_left_alone(tiny, folder, cache, capsys):
    """Nothing says that it is hepgrad's."""
    sample, what = Fileset.load(folder)["top"], request_of(tiny)
    cache.read(sample, what)
    (entry,) = cache.entries()
    (entry.folder / "hepgrad.json").unlink()
    change_one_byte(entry.folder / "manifest.json", 40)
    with pytest.raises(InputError, match=r"is in the way of the cache, and hepgrad did not write it .* move it away"):
        cache.read(sample, what)
    assert cache.clear() == 0
    assert cli.main(["cache", "clear", str(cache.folder)]) == 0
    assert f"left alone, because it has no marker of hepgrad: {entry.folder}" in capsys.readouterr().out
    assert (entry.folder / "manifest.json").exists()


def test_what_was_interrupted_goes_at_the_next_start(cache):
    left, living = (cache.folder / f".{'0' * 24}.{who}@{platform.node()}.part" for who in (2**22 + 1, os.getpid()))
    for place in (left, living):
        place.mkdir(parents=True)
        mark(place)
        (place / "0").mkdir()
    cache.tidy()
    assert list(cache.folder.iterdir()) == [living]


def test_a_damaged_shard_is_made_again(tiny, folder, cache):
    recipe = Recipe(simulated(tiny.TINY.processes, Fileset.load(folder), 1000.0), request_of(tiny), cache=cache)
    collected = recipe.collect()
    store = stored(collected, cache.folder, block_size=512)
    file = sorted(store.folder.glob("*.bin"))[0]
    before = file.read_bytes()
    change_one_byte(file, 5000)
    with pytest.warns(InputWarning, match=r"\.bin does not hold what was written; it is made again"):
        assert stored(collected, cache.folder, block_size=512).folder == store.folder
    assert file.read_bytes() == before


def test_samples_of_like_names_are_exported_to_files_of_their_own(tiny, folder, cache, tmp_path):
    sample = Fileset.load(folder)["top"]
    for name in ("a:b", "a/b", "../c"):
        cache.read(dataclasses.replace(sample, name=name), request_of(tiny))
    cache.read(sample, Request(("MET_pt",)))
    (tmp_path / "file").write_text("mine")
    assert cli.main(["cache", "export", str(cache.folder), "--output", str(tmp_path / "file")]) == 2
    assert cli.main(["cache", "export", str(cache.folder), "--output", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").iterdir())) == 2 * len(cache.entries())
