"""Attacks on filesets, files and event numbers: what is believed is right, and the rest is an `InputError`."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import strategies as st

from hepgrad.analysis.selection.ranking import by_falling
from hepgrad.workflows import Fileset, InputError, Process, Sample, read_events
from hepgrad.workflows.errors import InputWarning
from hepgrad.workflows.read.collect import Recipe
from hepgrad.workflows.read.ingredient import simulated
from hepgrad.workflows.read.reader import Request, StoredSample
from hepgrad.workflows.read.trust.identity import Halves, Identities

EVENTS = 40
LUMINOSITY = 3.0
FILES = {"a.root": (0, 25), "b.root": (25, 40)}


def write(path: Path, first: int, last: int) -> None:
    numbers = np.arange(first, last)
    counts = numbers % 3
    columns = {
        "MET_pt": numbers.astype(np.float32),
        "Jet_pt": ak.unflatten(np.arange(counts.sum(), dtype=np.float32), counts),
        "genWeight": np.ones(len(numbers), np.float32),
        "event": numbers.astype(np.int64),
    }
    with uproot.recreate(path) as file:
        types = {name: ak.type(ak.Array(values)).content for name, values in columns.items()}
        file.mktree("Events", types).extend(columns)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    for name, (first, last) in FILES.items():
        write(folder / name, first, last)
    (folder / "link.root").symlink_to(folder / "a.root")
    return folder


KEYS = ("files", "xsec_pb", "sumw_total", "nevts_total", "lumi_pb", "weight", "path", "sumw", "nevts", "nominal")
anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-100, 100),
    st.integers(),
    st.floats(),
    st.sampled_from([*KEYS, *FILES, "", "genWeight", "MET_pt", "Jet_pt", "*.root", "40"]),
    st.text(max_size=8),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.sampled_from(KEYS), st.integers(0, 50), max_size=2),
)
names = st.sampled_from(["a.root", "b.root", "*.root", "./a.root", "link.root", "[ab].root", "c.root", "a.root\0"])
files = st.lists(
    st.one_of(
        names,
        st.fixed_dictionaries({"path": names}, optional={"sumw": st.integers(0, 50), "nevts": st.integers(0, 50)}),
    ),
    max_size=3,
)


@st.composite
def entries(draw: st.DrawFn) -> dict[str, object]:
    """Draw what a fileset may say of a sample, mostly sensible."""
    entry: dict[str, object] = {"files": ["a.root", "b.root"], "xsec_pb": 2.0, "sumw_total": float(EVENTS)}
    if draw(st.booleans()):
        entry["files"] = draw(files)
    if draw(st.booleans()):
        entry["sumw_total"] = draw(
            st.sampled_from([1, 4.0, 15, 25, 39, 39.99, 40, 41, 400, -40, 0, math.nan, math.inf])
        )
    if draw(st.booleans()):
        entry["nevts_total"] = draw(st.integers(0, 50))
    for _ in range(draw(st.integers(0, 2))):
        key = draw(st.sampled_from(sorted(entry)))
        value = entry.pop(key)
        match draw(st.sampled_from(["leave out", "misspell", "replace"])):
            case "misspell":
                letters = list(key)
                letters[draw(st.integers(0, len(key) - 1))] = draw(st.sampled_from("xyz_"))
                entry["".join(letters)] = value
            case "replace":
                entry[key] = draw(anything)
    return entry


def stated(entry: Mapping[str, object]) -> float:
    """Return what the sample should amount to, by what the entry says."""
    if entry.get("sumw_total") is None and entry.get("lumi_pb") is not None:
        return LUMINOSITY / float(str(entry["lumi_pb"]))
    total = entry.get("sumw_total")
    return float(str(entry["xsec_pb"])) * LUMINOSITY / float(str(entry["nevts_total"] if total is None else total))


def test_filesets(attack, folder):
    @attack("filesets", entry=entries())
    def _(entry):
        (folder / "fileset.json").write_text(json.dumps({"t": {"nominal": entry}}))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InputWarning)
                recipe = Recipe(simulated([Process("t")], Fileset.load(folder), LUMINOSITY), Request(("MET_pt",)))
                collected = recipe.collect()
        except InputError as error:
            assert str(error)
            return
        halves = [
            np.concatenate([piece.values["MET", "pt"] for strand in half for piece in strand.pieces])
            for half in collected.halves
        ]
        # every event once, in one half, and what it counts for is what was said
        assert len(set(np.concatenate(halves))) == sum(map(len, halves)) <= EVENTS
        for half, values in zip(collected.halves, halves, strict=True):
            (strand,) = half
            assert strand.scale * len(values) == pytest.approx(stated(entry) * sum(map(len, halves)), rel=1e-9)
        assert set(entry) <= set(KEYS)
        # a total of exactly 1 says that the weights are normalised already
        if entry.get("weight", "genWeight") == "genWeight" and entry.get("sumw_total") not in (None, 1):
            assert entry.get("lumi_pb") is not None or sum(map(len, halves)) <= 1.001 * float(str(entry["sumw_total"]))


def test_repeated_keys(attack, folder):
    good = {"files": ["a.root"], "xsec_pb": 1.0, "sumw_total": 25.0}

    @attack("repeated keys of filesets", key=st.sampled_from(sorted(good)), other=anything)
    def _(key, other):
        text = json.dumps({"t": {"nominal": good}})
        where = text.index(f'"{key}"')
        (folder / "twice.json").write_text(f"{text[:where]}{json.dumps(key)}: {json.dumps(other)}, {text[where:]}")
        with pytest.raises(InputError, match=f"the key '{key}' is there twice"):
            Fileset.load(folder / "twice.json")


def test_damaged_files(attack, folder, tmp_path):
    content = (folder / "a.root").read_bytes()
    whole = read_events(folder / "a.root", ["MET_pt", "Jet_pt"])
    path = tmp_path / "damaged.root"

    @attack(
        "ROOT files",
        flips=st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4),
        length=st.one_of(st.just(len(content)), st.integers(0, len(content))),
    )
    def _(flips, length):
        damaged = bytearray(content)
        for place, value in flips:
            damaged[place] = value
        path.write_bytes(damaged[:length])
        try:
            found = read_events(path, ["MET_pt", "Jet_pt"])
        except InputError as error:
            assert "damaged.root" in str(error)
            return
        if damaged[:length] == content:
            assert found.tolist() == whole.tolist()


def test_event_numbers(attack):
    @attack(
        "event numbers",
        numbers=st.lists(st.integers(0, 12), min_size=2, max_size=40),
        cuts=st.lists(st.integers(0, 40), max_size=4),
    )
    def _(numbers, cuts):
        parts = np.split(np.array(numbers, np.uint64), sorted(cuts))
        halves = Halves(Sample("t", ("a.root",), Path()))
        odd = np.concatenate([halves.odd(len(part), Identities(part, None), "a.root") for part in parts])
        divided = [{n for n, o in zip(numbers, odd, strict=True) if o == side} for side in (False, True)]
        assert not divided[0] & divided[1]
        assert abs(len(divided[0]) - len(divided[1])) <= 1


def test_events_that_are_there_twice(attack, tmp_path):
    path = tmp_path / "events.root"

    @attack(
        "events that are there twice",
        events=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=2, max_size=30),
        chunk=st.integers(1, 40),
    )
    def _(events, chunk):
        number, met = np.array(events).T
        with uproot.recreate(path) as file:
            columns = {"event": number.astype(np.int64), "MET_pt": met.astype(np.float32)}
            file.mktree("Events", {name: each.dtype for name, each in columns.items()}).extend(columns)
        sample = Sample("t", (str(path),), path, weight="")
        try:
            stored = StoredSample.read(sample, Request(("MET_pt", "event"), chunk=chunk))
        except InputError as error:
            assert len(set(events)) < len(events)
            assert "were read before" in str(error)
            return
        assert len(set(events)) == len(events)
        halves = [{int(n) for piece in half for n in piece.values["event", ""]} for half in stored.halves]
        assert not halves[0] & halves[1]
        assert halves[0] | halves[1] == set(number.tolist())


def test_order(attack):
    @attack("objects in any order", rows=st.lists(st.lists(st.floats(0, 8, width=16), max_size=5), max_size=8))
    def _(rows):
        flat = np.array([value for row in rows for value in row], np.float32)
        offsets = np.append(0, np.cumsum([len(row) for row in rows], dtype=np.int64))
        found = by_falling(flat, offsets)
        expected = [sorted(range(len(row)), key=lambda i, row=row: -row[i]) for row in rows]
        assert (
            np.arange(len(flat)) - np.repeat(offsets[:-1], np.diff(offsets)) if found is None else found
        ).tolist() == [place for row in expected for place in row]


def test_names_of_files(attack, folder):
    content = (folder / "a.root").read_bytes()

    @attack(
        "names of files", name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), max_size=40)
    )
    def _(name):
        path = folder / f"x{name}.root"
        try:
            path.write_bytes(content)
        except OSError:  # too long for this disk
            return
        (folder / "named.json").write_text(
            json.dumps({"t": {"nominal": {"files": [path.name], "xsec_pb": 1, "sumw_total": 25}}})
        )
        try:
            sample = Fileset.load(folder / "named.json")["t"]
            assert StoredSample.read(sample, Request(("MET_pt",))).events == 25
        except InputError as error:
            assert "x" in str(error)
        finally:
            path.unlink()
