"""Files that cannot be read: an error, or (when asked for) a warning and a sample that is normalised to the rest."""

from __future__ import annotations

import importlib.util
import json

import awkward as ak
import fsspec
import numpy as np
import pytest
import uproot
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from hepgrad.workflows import Fileset, InputError, InputWarning, Process, load, read_events, run
from hepgrad.workflows.cache import Cache
from hepgrad.workflows.cli import program as cli
from hepgrad.workflows.read.reader import Request, SampleReader

EVENTS = (100, 300, 200)
LUMINOSITY, CROSS_SECTION = 50.0, 4.0


@pytest.fixture
def folder(tiny, tmp_path):
    """Three files of one sample, with different numbers of events and weights."""
    folder = tmp_path / "events"
    folder.mkdir()
    files = []
    for i, events in enumerate(EVENTS):
        weight = np.full(events, 1.0 + i, np.float32)
        tiny.write_tree(folder / f"{i}.root", {"MET_pt": np.arange(events, dtype=np.float32), "genWeight": weight})
        files.append({"path": f"{i}.root", "nevts": events, "sumw": float(weight.sum())})
    write(folder, files)
    return folder


def write(folder, files):
    sumw = sum((1.0 + i) * n for i, n in enumerate(EVENTS))
    entry = {"files": files, "sumw_total": sumw, "xsec_pb": CROSS_SECTION}
    (folder / "fileset.json").write_text(json.dumps({"top": {"nominal": entry}}))


def damage(folder, index=1):
    path = folder / f"{index}.root"
    path.write_bytes(path.read_bytes()[:200])


def load_top(folder, **changes):
    return load(Fileset.load(folder), [Process("top")], ["MET_pt"], luminosity=LUMINOSITY, **changes)


def expected_events(data):
    return float(np.asarray(data.weight, float).sum())


def test_a_bad_file_is_an_error(folder):
    damage(folder)
    with pytest.raises(InputError, match=r"1\.root cannot be read; it is truncated, damaged or not a ROOT file"):
        load_top(folder)


@pytest.mark.parametrize("key", ["sumw", "nevts"])
def test_what_is_left_stands_for_the_whole(folder, key):
    """The expected number of events is cross-section x luminosity, whatever was skipped."""
    files = json.loads((folder / "fileset.json").read_text())["top"]["nominal"]["files"]
    if key == "nevts":
        # files with equal weights, so that events and weights mean the same
        files = [{"path": file["path"], "nevts": file["sumw"]} for file in files]
    write(folder, files)
    damage(folder)
    with pytest.warns(InputWarning, match=r"1\.root cannot be read; .* It is skipped, file 2 of 3 of sample 'top'"):
        split = load_top(folder, skip_bad_files=True)
    real = np.asarray(split.train.process) == 0
    assert real.sum() == (EVENTS[0] + EVENTS[2]) / 2
    for data in (split.train, split.held_out):
        assert expected_events(data) == pytest.approx(CROSS_SECTION * LUMINOSITY, rel=1e-6)


def test_the_warning_tells_what_share_is_left(folder):
    damage(folder)
    share = 100 * (1 - 600 / 1300)
    with pytest.warns(InputWarning, match=rf"normalised to what was read of it: {share:.4g} % of its weights"):
        load_top(folder, skip_bad_files=True)


@pytest.mark.parametrize("reason", ["missing", "wrong tree", "missing branch"])
def test_what_counts_as_a_bad_file(tiny, folder, reason):
    if reason == "missing":
        (folder / "1.root").unlink()
    elif reason == "wrong tree":
        tiny.write_tree(folder / "1.root", {"MET_pt": np.ones(3, np.float32)}, "Other")
    else:
        tiny.write_tree(folder / "1.root", {"MET_phi": np.ones(3, np.float32)})
    with pytest.warns(InputWarning, match=r"1\.root.* It is skipped"):
        split = load_top(folder, skip_bad_files=True)
    assert expected_events(split.train) == pytest.approx(CROSS_SECTION * LUMINOSITY, rel=1e-6)


def test_a_file_that_breaks_off_counts_as_far_as_it_was_read(folder, monkeypatch):
    """A third of the second file comes through before its bytes turn out to be damaged."""
    with uproot.recreate(folder / "1.root") as file:
        tree = file.mktree("Events", {"MET_pt": np.float32, "genWeight": np.float32})
        for _ in range(3):
            tree.extend({"MET_pt": np.ones(100, np.float32), "genWeight": np.full(100, 2.0, np.float32)})
    with uproot.open(folder / "1.root") as file:
        start = int(file["Events"]["MET_pt"].member("fBasketSeek")[1])
    content = bytearray((folder / "1.root").read_bytes())
    content[start : start + 60] = bytes(60)
    (folder / "1.root").write_bytes(content)
    reader = SampleReader(Fileset.load(folder)["top"], Request(("MET_pt",), skip_bad_files=True, chunk=100))
    with pytest.warns(InputWarning, match=r"1\.root cannot be read"):
        weights = [piece.values["genWeight", ""] for halves in reader for piece in halves]
    assert sum(map(len, weights)) == reader.events == 100 + 100 + 200
    # the sum of weights that they stand for is what they have
    assert reader.fraction * 1300 == pytest.approx(np.concatenate(weights).sum())


def test_a_file_whose_share_is_unknown_cannot_be_skipped(folder):
    write(folder, [f"{i}.root" for i in range(3)])
    damage(folder)
    with pytest.raises(
        InputError, match=r"1\.root cannot .* It cannot be skipped: .* add \"sumw\" or \"nevts\" to each"
    ):
        load_top(folder, skip_bad_files=True)


def test_no_file_is_left(folder):
    for i in range(3):
        damage(folder, i)
    with pytest.warns(InputWarning), pytest.raises(InputError, match=r"sample 'top': no file can be read; .*0\.root"):
        load_top(folder, skip_bad_files=True)


def test_a_sample_with_skipped_files_is_not_kept(folder, tmp_path):
    """Nor is it there the next time, when the file may be there again."""
    good = (folder / "1.root").read_bytes()
    cache = Cache(tmp_path / "cache")
    damage(folder)
    with pytest.warns(InputWarning, match="It is skipped"):
        split = load_top(folder, skip_bad_files=True, cache=cache)
    assert expected_events(split.train) == pytest.approx(CROSS_SECTION * LUMINOSITY, rel=1e-6)
    assert cache.entries() == cache.incomplete() == []
    assert list(cache.folder.iterdir()) == []
    (folder / "1.root").write_bytes(good)
    assert (np.asarray(load_top(folder, cache=cache).train.process) == 0).sum() == sum(EVENTS) / 2
    assert len(cache.entries()) == 1


@pytest.mark.parametrize("with_cache", [False, True])
def test_files_without_events(tiny, folder, tmp_path, with_cache):
    """One of many is no fault: a skim may have left nothing. A sample of such files is one."""
    cache = Cache(tmp_path / "cache") if with_cache else None
    with uproot.recreate(folder / "1.root") as file:
        file.mktree("Events", {"MET_pt": np.float32, "genWeight": np.float32})
    split = load_top(folder, cache=cache)
    # its share of the weights still counts
    assert expected_events(split.train) == pytest.approx(CROSS_SECTION * LUMINOSITY * 700 / 1300, rel=1e-6)
    for i in (0, 2):
        (folder / f"{i}.root").write_bytes((folder / "1.root").read_bytes())
    with pytest.raises(InputError, match=r"0\.root, .*2\.root: tree 'Events' has no events"):
        load_top(folder, cache=cache)
    assert cache is None or len(cache.entries()) == 1


def test_a_skim_that_leaves_nothing(folder):
    with pytest.raises(InputError, match="process 'top': no events are left"):
        load_top(folder, skim=lambda events: events[events.MET.pt < 0])


def test_from_the_command_line(tiny, tiny_events, tmp_path, capsys):
    """A run that goes on, says what it skipped, and leaves a cache; and one that does not, with exit code 2."""
    events = tmp_path / "events"
    tiny.write_events(events)
    (events / "multijet_low.root").write_bytes(b"nothing")
    arguments = ["run", "tiny:TINY", "--data", str(events), "--output", str(tmp_path / "run"), "--quiet"]
    arguments += ["--cache", str(tmp_path / "cache")]
    assert cli.main(arguments) == 2
    assert "multijet_low.root cannot be read" in capsys.readouterr().err
    assert cli.main([*arguments, "--skip-bad-files"]) == 2
    assert "no file can be read" in capsys.readouterr().err
    assert {entry.sample for entry in Cache(tmp_path / "cache").entries()} == {"signal", "top"}


@pytest.mark.slow
def test_a_run_from_the_cache_is_the_same(tiny, finished, tmp_path):
    workflow, expected, _ = finished
    results = [
        run(workflow, output=tmp_path / name, quiet=True, cache=tmp_path / "cache") for name in ("first", "second")
    ]
    for result in results:
        assert result.optimum.parameters.to_dict() == expected.optimum.parameters.to_dict()


def test_root_urls_say_what_to_install(monkeypatch):
    pytest.importorskip("fsspec")
    if importlib.util.find_spec("fsspec_xrootd") is not None:
        pytest.skip("fsspec-xrootd is installed")
    with pytest.raises(InputError, match="install hepgrad with its extra `xrootd`"):
        read_events("root://127.0.0.1//nothing.root", ["MET_pt"])


def test_a_glob_without_shares_reads_all(folder):
    write(folder, ["*.root"])
    split = load_top(folder)
    events = np.concatenate([ak.to_numpy(read_events(folder / f"{i}.root", ["MET_pt"]).MET.pt) for i in range(3)])
    assert sorted(np.asarray(split.train.columns.MET.pt)[np.asarray(split.train.process) == 0]) == sorted(events[::2])


class Strict(MemoryFileSystem):
    """As particular as the client of XRootD: about integers, and how a missing file is told."""

    @classmethod
    def _strip_protocol(cls, path):
        return "/" + path.rpartition("//")[2]

    def cat_file(self, path, start=None, end=None, **kwargs):
        if type(start) is not int or type(end) is not int:
            raise TypeError("integer argument expected for offset")
        return super().cat_file(path, start=start, end=end, **kwargs)

    def info(self, path, **kwargs):
        if self._strip_protocol(path) not in self.store:
            raise OSError("Server responded with an error: [3011] Unable to open; no such file or directory")
        return super().info(path, **kwargs)


def test_root_urls_are_read_like_files(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(_registry, "root", Strict)
    tiny.write_tree(tmp_path / "top.root", tiny.draw("top"))
    monkeypatch.setattr(Strict, "store", {})
    fsspec.filesystem("root").pipe_file("root://server//top.root", (tmp_path / "top.root").read_bytes())
    columns = ["MET_pt", "Jet_pt"]
    assert ak.array_equal(read_events("root://server//top.root", columns), read_events(tmp_path / "top.root", columns))
    with pytest.raises(InputError, match=r"there is no file root://server//other\.root"):
        read_events("root://server//other.root", columns)
    # the client would wait for half an hour; fsspec keeps its file systems by their options
    assert {each.storage_options["timeout"] for each in Strict._cache.values() if each.storage_options} == {30}
