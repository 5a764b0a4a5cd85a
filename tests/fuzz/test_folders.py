"""Folders that are ours, and those that are not: damaged, edited, or somebody else's."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path

import jax
import numpy as np
import optax
import pytest
from hypothesis.strategies import binary, floats, integers, lists, sampled_from, text

from hepgrad.analysis import Attempt, Checkpoint, Parameter, Parameters, StepRecord
from hepgrad.analysis.optimisation import Position
from hepgrad.workflows import Fileset, InputError, InputWarning, RunFolder
from hepgrad.workflows.cache import Cache
from hepgrad.workflows.cache.folder import MANIFEST, MARKER, write_manifest
from hepgrad.workflows.checkpoint import CheckpointFile
from hepgrad.workflows.files.lock import locked
from hepgrad.workflows.read.reader import Request

pytestmark = pytest.mark.thorough


def damaged(content, where, piece):
    """Return bytes of which some are replaced, or that end early."""
    content, at = bytearray(content), where % max(1, len(content))
    if piece:
        content[at : at + len(piece)] = piece
    else:
        del content[at:]
    return bytes(content)


def snapshot(folder):
    """Everything in a folder, without following links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return found


@pytest.fixture
def quick_plots(monkeypatch):
    """Plots that are drawn at once: their own class has the real ones."""
    monkeypatch.setattr("hepgrad.workflows.reporting.style.Plot.save", lambda *arguments: ("<svg/>", []))


def test_reports_of_damaged_folders(attack, finished, fresh, command, quick_plots, any_json, changed_json):
    names = sorted(path.name for path in finished.iterdir() if path.suffix in (".json", ".csv"))
    structured = [name for name in names if name.endswith(".json")]

    @attack("run folders", name=sampled_from(names), where=integers(0, 10**6), piece=binary(max_size=4))
    def _(name, where, piece):
        folder = fresh() / "run"
        shutil.copytree(finished, folder)
        (folder / name).write_bytes(damaged((folder / name).read_bytes(), where, piece))
        before = snapshot(folder.parent)
        ended = command("report", folder)
        assert ended.code in (0, 2)
        assert {key for key in before if not key.startswith("run/")} <= set(snapshot(folder.parent))

    @attack("run folders", name=sampled_from(structured), where=integers(0, 10**6), new=any_json)
    def _(name, where, new):
        folder = fresh() / "run"
        shutil.copytree(finished, folder)
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(changed_json(content, where, new)))
        assert command("report", folder).code in (0, 2)


def test_overwriting(attack, fresh, command):
    """Whatever `run.json` lists and wherever links lead, nothing outside is touched, and nothing that is not listed."""
    links = sampled_from(["plots", "a.json", "run.json", "plots/b.png", "deep"])
    listed = sampled_from(
        [
            "../precious.txt",
            "/tmp/precious.txt",
            "a.json",
            "plots/b.png",
            "plots",
            ".",
            "",
            "..",
            "deep/../../precious.txt",
        ]
    ) | text(max_size=10)

    @attack("folders of others", names=lists(listed, max_size=5), link=links)
    def _(names, link):
        base = fresh()
        (base / "precious.txt").write_text("precious")
        (base / "elsewhere").mkdir()
        (base / "elsewhere" / "b.png").write_text("precious")
        run = base / "run"
        folder = RunFolder.create(run)
        for name in ("a.json", "plots/b.png", "deep/c.json"):
            folder.write_text(name, "old")
        (run / "notes.txt").write_text("mine")
        content = json.loads((run / "run.json").read_text())
        content["files"] += names
        target = run / link
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink()
        if link == "run.json":
            (base / "elsewhere" / "run.json").write_text(json.dumps(content))
            target.symlink_to(base / "elsewhere" / "run.json")
        else:
            (run / "run.json").write_text(json.dumps(content))
            target.symlink_to(base / ("elsewhere" if link in ("plots", "deep") else "precious.txt"))
        before = snapshot(base)
        RunFolder.removed_by_overwriting(run)
        assert snapshot(base) == before
        new = RunFolder.create(run, overwrite=True)
        for name in ("a.json", "plots/b.png"):
            try:
                new.write_text(name, "new")
            except InputError:
                assert link == "plots"
        after = snapshot(base)
        outside = {key: value for key, value in before.items() if not key.startswith("run/")}
        assert {key: value for key, value in after.items() if not key.startswith("run/")} == outside
        assert after["run/notes.txt"] == before["run/notes.txt"]


def test_clearing(attack, tiny, tiny_events, fresh, command):
    """`cache clear` removes our entries, and leaves everything else as it was, also what only looks like ours."""
    source = fresh()
    Cache(source).read(Fileset.load(tiny_events)["multijet_low"], Request(("MET_pt",)))
    names = sampled_from(["0" * 24, "f" * 24, f".{'0' * 24}.1@other.part", "shards", "notes", f"shards/{'a' * 24}"])
    kinds = sampled_from(["folder", "link", "file", "manifest", "marker in a link"])

    @attack("folders of others", names=lists(names, min_size=1, max_size=4, unique=True), kind=kinds)
    def _(names, kind):
        base = fresh()
        cache, elsewhere = base / "cache", base / "elsewhere"
        shutil.copytree(source, cache)
        elsewhere.mkdir()
        (elsewhere / "thesis.tex").write_text("precious")
        if kind == "marker in a link":
            (elsewhere / MARKER).write_text('{"format": "hepgrad cache, version 1"}')
        for name in names:
            place = cache / name
            if place.exists() or not place.parent.is_dir() or place.parent.is_symlink():
                continue
            if "link" in kind:
                place.symlink_to(elsewhere)
            elif kind == "file":
                place.write_text("mine")
            else:
                place.mkdir()
                (place / ("manifest.json" if kind == "manifest" else "thesis.tex")).write_text("{}")
        ours = {path.name for path in source.iterdir()}
        before = snapshot(base)
        assert "would remove 1 " in command("cache", "clear", cache, "--dry-run").out
        assert snapshot(base) == before
        assert command("cache", "clear", cache).code == 0
        kept = {key: value for key, value in before.items() if not any(key.startswith(f"cache/{own}") for own in ours)}
        assert snapshot(base) == kept
        assert command("cache", "list", cache).code == 0
        assert command("cache", "verify", cache).code in (0, 1)


def test_damaged_caches(attack, tiny, tiny_events, fresh, any_json, changed_json):
    """Whatever is changed in an entry, what is read is what the files hold."""
    sample, request = Fileset.load(tiny_events)["multijet_low"], Request(("Jet_pt", "MET_pt"))
    source = fresh()
    expected = [half[0].to_awkward().tolist() for half in Cache(source).read(sample, request).halves]
    (entry,) = source.iterdir()
    files = sorted(path.relative_to(source).as_posix() for path in entry.rglob("*") if path.is_file())

    @attack(
        "caches",
        name=sampled_from([n for n in files if not n.endswith(MARKER)]),
        where=integers(0, 10**6),
        bit=integers(0, 7),
    )
    def _(name, where, bit):
        cache = fresh() / "cache"
        shutil.copytree(source, cache)
        content = bytearray((cache / name).read_bytes())
        content[where % len(content)] ^= 1 << bit
        (cache / name).write_bytes(content)
        with pytest.warns(InputWarning, match="read again"):
            found = Cache(cache).read(sample, request)
        assert [half[0].to_awkward().tolist() for half in found.halves] == expected

    @attack("manifests", where=integers(0, 10**6), new=any_json)
    def _(where, new):
        """Edited with care, so that the checksum fits again."""
        cache = fresh() / "cache"
        shutil.copytree(source, cache)
        folder = cache / entry.name
        content = json.loads((folder / MANIFEST).read_text())
        del content["checksum"]
        try:
            write_manifest(folder, changed_json(content, where, new))
        except (TypeError, ValueError):
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            try:
                found = Cache(cache).read(sample, request)
            except InputError:
                return
        assert all(piece.events >= 0 for half in found.halves for piece in half)
        assert len(Cache(cache).entries()) + len(Cache(cache).incomplete()) >= 1


def test_checkpoints(attack, fresh, any_json, changed_json):
    parameters = Parameters(met=Parameter(50.0, bounds=(20, 150)), btag=Parameter(0.5, bounds=(0.1, 0.9)))
    optimizer = optax.adam(0.1)
    coordinates = parameters.scaled()
    records = tuple(
        StepRecord(step, 1.5, 1.0, 2.0, parameters.numbers(), slopes={"met": 0.1, "btag": 0.2}) for step in range(2)
    )
    attempt = Attempt(parameters, parameters, 1.0, 1, records)
    whole = CheckpointFile(fresh() / "run", {"seed": 1, "parameters": {"met": 50.0}})
    whole.save(Checkpoint(Position(coordinates, optimizer.init(coordinates)), attempt))
    expected = jax.tree.leaves(whole.load(parameters, optimizer).position)

    def load(path):
        """Load, or be told in one message; what is loaded is what was saved."""
        file = CheckpointFile(path, whole.settings)
        try:
            found = file.load(parameters, optimizer)
        except InputError:
            return
        for new, old in zip(jax.tree.leaves(found.position), expected, strict=True):
            np.testing.assert_array_equal(new, old)

    @attack("checkpoints", where=integers(0, 10**6), piece=binary(max_size=4))
    def _(where, piece):
        path = fresh() / "run"
        path.with_name("run.checkpoint.npz").write_bytes(damaged(whole.path.read_bytes(), where, piece))
        load(path)

    @attack("checkpoints", where=integers(0, 10**6), new=any_json, is_old=sampled_from([True, False]))
    def _(where, new, is_old):
        """The text inside is another one, also in a file of a version that wrote no checksum."""
        path = fresh() / "run"
        with np.load(whole.path) as file:
            arrays = {name: file[name] for name in file.files}
        content = json.loads(str(arrays["text"]))
        if is_old:
            del content["format"], arrays["checksum"]
        text_ = json.dumps(changed_json(content, where, new))
        np.savez(path.with_name("run.checkpoint.npz"), **{**arrays, "text": np.asarray(text_)})
        file = CheckpointFile(path, whole.settings)
        try:
            found = file.load(parameters, optimizer)
        except InputError:
            return
        assert is_old
        assert all(isinstance(record.step, int) for record in found.attempt.history)

    @attack(
        "checkpoints",
        name=sampled_from(["leaf0", "leaf1", "leaf2", "text"]),
        kind=sampled_from(["<f8", "<i4", "<c8", "<U3", "?"]),
    )
    def _(name, kind):
        path = fresh() / "run"
        with np.load(whole.path) as file:
            arrays = {n: file[n] for n in file.files}
        arrays[name] = np.full(arrays[name].shape, 1, kind)
        np.savez(path.with_name("run.checkpoint.npz"), **arrays)
        with pytest.raises(InputError, match=r"start again with --overwrite"):
            CheckpointFile(path, whole.settings).load(parameters, optimizer)


def test_a_stranger_s_file_is_not_overwritten(fresh):
    file = CheckpointFile(fresh() / "run", {})
    for content in (b"", b"precious", b"PK\x03\x04"):
        file.path.write_bytes(content)
        with pytest.raises(InputError, match="is no checkpoint of hepgrad"):
            file.begin(overwrite=True)
        assert file.path.read_bytes() == content
    with zipfile.ZipFile(file.path, "w") as archive:
        archive.writestr("text.npy", b"half")
    with pytest.raises(InputError, match=r"an interrupted run left .*; go on with it by --resume"):
        file.begin(overwrite=False)
    file.begin(overwrite=True)
    assert not file.path.exists()


WRITER = """
import sys
from hepgrad.workflows import RunFolder
from pathlib import Path
from hepgrad.workflows.files.lock import locked
with locked(Path(sys.argv[1])):
    print("ready", flush=True)
    for number in range(10**6):
        folder = RunFolder.create(sys.argv[1], overwrite=True)
        for name in ("a.csv", "plots/b.svg", f"c{number}.json"):
            folder.write_text(name, name * 20_000)
        folder.finish({"status": "finished"})
"""


def test_killed(attack, fresh):
    """By a signal that no program can catch: the folder says what it is, and the lock is stale at once."""

    @attack("killed while it writes", pause=floats(0, 0.2))
    def _(pause):
        path = fresh() / "run"
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as writer:
            # waits for as long as it takes; a writer that dies instead says why
            assert writer.stdout.readline() == "ready\n", writer.communicate()[1]
            with (
                pytest.raises(InputError, match=rf"another run writes into .*: process {writer.pid} on "),
                locked(path),
            ):
                pass
            time.sleep(pause)
            writer.kill()
        with locked(path):
            RunFolder.create(path, overwrite=True).finish({"status": "finished"})
        assert sorted(snapshot(path)) in (["run.json"], ["plots", "run.json"])
        assert sorted(each.name for each in path.parent.iterdir()) == ["run"]


def test_locks(attack, fresh):
    @attack("locks", content=binary(max_size=60) | sampled_from([b"{}", b"[]", b"null", b'{"format": 1}', b"[" * 5000]))
    def _(content):
        """A file that is no lock is left alone; an empty one, of a process that died at once, is taken over."""
        path = fresh() / "run"
        lock = path.with_name("run.lock")
        lock.write_bytes(content)
        if content:
            with pytest.raises(InputError, match="is no lock of hepgrad"), locked(path):
                pass
            assert lock.read_bytes() == content
        else:
            with locked(path):
                assert lock.exists()
            assert not lock.exists()

    @attack("locks", process=integers(-(2**40), 2**40), host=sampled_from(["other", ""]), minutes=integers(0, 60))
    def _(process, host, minutes):
        """The lock of another machine holds for ten minutes after its last sign of life."""
        path = fresh() / "run"
        lock = path.with_name("run.lock")
        owner = {"format": "hepgrad lock, version 1", "host": host, "process": process, "since": "today"}
        lock.write_text(json.dumps(owner))
        os.utime(lock, (time.time() - 60 * minutes,) * 2)
        if minutes < 10:
            with pytest.raises(InputError, match="another run writes into"), locked(path):
                pass
        else:
            with locked(path):
                pass


def test_a_lock_is_no_way_out(tmp_path: Path):
    (tmp_path / "precious").write_text("")
    (tmp_path / "run.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"), locked(tmp_path / "run"):
        pass
    assert (tmp_path / "precious").read_text() == ""
