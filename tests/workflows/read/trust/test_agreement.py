"""What contradicts itself is refused, with both sides named; what agrees is read as ever."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from hepgrad.analysis import Dataset
from hepgrad.workflows import Fileset, InputError, InputWarning, Layout, Process, Sample, load, read_events
from hepgrad.workflows.cache import Cache
from hepgrad.workflows.read.reader import Request, StoredSample
from hepgrad.workflows.read.trust.identity import Halves, Identities

EVENTS = 40
GOOD = {"files": ["a.root"], "sumw_total": float(EVENTS), "xsec_pb": 1.0}


def columns(events=EVENTS, **changes):
    base = {"MET_pt": np.arange(events, dtype=np.float32), "genWeight": np.ones(events, np.float32)}
    return base | changes


@pytest.fixture
def folder(tiny, tmp_path):
    tiny.write_tree(tmp_path / "a.root", columns())
    return tmp_path


def read(folder, entry, processes=None, **options):
    entries = entry if "t" in entry else {"t": {"nominal": entry}}
    (folder / "fileset.json").write_text(entries if isinstance(entries, str) else json.dumps(entries))
    processes = processes or [Process("t")]
    return load(Fileset.load(folder), processes, ["MET_pt"], luminosity=1.0, **options)


def values(half):
    return np.asarray(half.columns.MET.pt)[np.asarray(half.process) == 0].tolist()


def sample(folder, *names, **about):
    return Sample("t", tuple(str(folder / name) for name in names), folder, weight="", **about)


def test_what_agrees_is_read(folder):
    split = read(folder, GOOD)
    assert float(split.train.weight.sum()) == pytest.approx(1.0)
    assert values(split.train) == list(range(0, EVENTS, 2)) and values(split.held_out) == list(range(1, EVENTS, 2))


@pytest.mark.parametrize(
    "again", ["a.root", "./a.root", "*.root", "link.root", "hard.root", "sub/../a.root", "file://"]
)
def test_a_file_is_read_once_under_whatever_name(folder, again):
    (folder / "sub").mkdir()
    if again == "link.root":
        (folder / again).symlink_to(folder / "a.root")
    if again == "hard.root":
        os.link(folder / "a.root", folder / again)
    again = (folder / "a.root").as_uri() if again == "file://" else again
    with pytest.raises(InputError, match=r"sample 't': .*a\.root.* so that its events would count twice"):
        read(folder, {**GOOD, "files": ["a.root", {"path": again}]})
    with pytest.raises(InputError, match="would count twice"):
        read_events([folder / "a.root", again if ":" in again else folder / again], ["MET_pt"])


def test_a_copy_of_a_file_is_found_by_what_it_calls_itself(folder):
    shutil.copy(folder / "a.root", folder / "b.root")
    entry = {**GOOD, "files": ["a.root", "b.root"], "sumw_total": 2.0 * EVENTS}
    with pytest.raises(InputError, match=r"sample 't': \S+b\.root is a copy of \S+a\.root"):
        read(folder, entry)


def test_two_samples_of_a_process_share_no_file(folder):
    both = {name: {"nominal": GOOD} for name in ("t", "u")}
    with pytest.raises(InputError, match=r"the samples 't', 'u': \S+a\.root twice"):
        read(folder, both, [Process("p", datasets=("t", "u"))])
    with pytest.raises(ValueError, match="process 'p' has the sample 't' twice"):
        Process("p", datasets=("t", "t"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sumw_total": 4.0}, r"add up to 40, more than the 4 of all generated events .* \(sumw_total\)"),
        ({"sumw_total": None, "nevts_total": 39}, r"hold 40 events, more than the 39 .* \(nevts_total\)"),
        ({"nevts_total": 39}, r"hold 40 events, more than the 39 generated ones .* \(nevts_total\)"),
        ({"files": [{"path": "a.root", "nevts": 30}]}, r"a\.root holds 40, more than the 30 .* \(nevts\)"),
        ({"files": [{"path": "a.root", "sumw": 50}]}, "sumw of its 1 files add up to 50, and sumw_total is 40"),
        (
            {"files": [{"path": "a.root", "sumw": 4}], "sumw_total": 4},
            r"add up to 40, more than the 4 of all generated events",
        ),
        ({"files": [{"path": "a.root", "nevts": 40}], "nevts_total": 80}, "nevts of its 1 files add up to 40, and"),
    ],
)
def test_sums_that_contradict_what_was_read(folder, change, message):
    with pytest.raises(InputError, match=message):
        read(folder, {key: value for key, value in {**GOOD, **change}.items() if value is not None})


def test_a_contradiction_is_found_in_the_cache_too(folder):
    cache = Cache(folder / "cache")
    read(folder, GOOD, cache=cache)
    with pytest.raises(InputError, match="add up to 40, more than the 4"):
        read(folder, {**GOOD, "sumw_total": 4.0}, cache=cache)


def test_skims_and_negative_weights_are_no_contradiction(tiny, folder):
    """A skim leaves less than all; with negative weights a part may hold more than the whole."""
    read(folder, {**GOOD, "sumw_total": 1e6})
    weights = np.where(np.arange(EVENTS) % 4, 1, -0.5).astype(np.float32)
    tiny.write_tree(folder / "a.root", columns(genWeight=weights))
    read(folder, {**GOOD, "sumw_total": float(weights.sum()) - 5})


def write_with_runs(path, sums, name="genEventSumw"):
    with uproot.recreate(path) as file:
        file.mktree("Events", {"MET_pt": np.float32, "genWeight": np.float32}).extend(columns())
        file.mktree("Runs", {name: np.float64}).extend({name: np.asarray(sums)})


@pytest.mark.parametrize("name", ["genEventSumw", "genEventSumw_"])
def test_files_that_say_how_much_was_generated(tmp_path, name):
    write_with_runs(tmp_path / "a.root", [300.0, 100.0], name)
    assert float(read(tmp_path, {**GOOD, "sumw_total": 400.2}).train.weight.sum()) == pytest.approx(40 / 400.2)
    with pytest.raises(InputError, match=r"says that the weights .* add up to 40000 \(sumw_total\), .* say 400"):
        read(tmp_path, {**GOOD, "sumw_total": 40_000.0})
    # and is believed where the fileset says nothing
    found = read(tmp_path, {key: value for key, value in GOOD.items() if key != "sumw_total"})
    assert float(found.train.weight.sum()) == pytest.approx(40 / 400)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({**GOOD, "sumw_totl": 1.0}, "sample 't' has the key 'sumw_totl', .* did you mean 'sumw_total'"),
        ({**GOOD, "xsec": 1.0}, "has the key 'xsec', .* did you mean 'xsec_pb'"),
        (
            {**GOOD, "files": [{"path": "a.root", "sumW": 3}]},
            "file 'a.root' has the key 'sumW', .* did you mean 'sumw'",
        ),
        ({**GOOD, "files": [{"path": "a.root", "nevts": -3}]}, "nevts of a.root of sample 't' cannot be -3"),
        ({**GOOD, "files": [{"path": "a.root", "sumw": math.nan}]}, "sumw of a.root of sample 't' cannot be nan"),
        ({**GOOD, "files": [{"path": 3}]}, "sample 't' must look like"),
        ({**GOOD, "lumi_pb": 3.0}, "sample 't' has lumi_pb and xsec_pb, which would normalise it in two ways"),
        ({**GOOD, "nevts_total": math.nan}, "nevts_total must be a number, got nan"),
        ({**GOOD, "weight": ""}, "weight of sample 't' must be the name of a column or null"),
        (
            '{"t": {"nominal": {"files": ["a.root"], "xsec_pb": 1.0, "xsec_pb": 2.0}}}',
            r"fileset\.json: the key 'xsec_pb' is there twice, with 1\.0 and 2\.0",
        ),
        (
            {"t": {"nominal": GOOD, "up": GOOD}, "t:up": {"nominal": GOOD}},
            "sample 't:up' is described twice, also as a variation",
        ),
    ],
)
def test_keys_that_mean_nothing_or_too_much(folder, entry, message):
    with pytest.raises(InputError, match=message):
        read(folder, entry)


def test_notes_are_let_through(folder):
    read(folder, {**GOOD, "_mine": 1, "comment": "x", "files": [{"path": "a.root", "_generator": "y", "seed": 3}]})


# values that are not finite


def test_values_that_are_not_finite(tiny, tmp_path):
    met = np.arange(EVENTS, dtype=np.float32)
    met[3], met[10] = np.nan, np.inf
    tiny.write_tree(tmp_path / "a.root", columns(MET_pt=met))
    with pytest.raises(InputError, match=r"sample 't': values that are NaN or infinite: 2 of MET_pt, in \S+a\.root\."):
        read(tmp_path, GOOD)
    cache = Cache(tmp_path / "cache")
    for _ in ("from the file", "from the cache"):
        with pytest.warns(InputWarning, match="2 of MET_pt, .*; these events are left out"):
            dropped = read(tmp_path, GOOD, not_finite="drop", cache=cache)
        assert 3.0 not in values(dropped.held_out) and len(values(dropped.train)) == EVENTS / 2 - 1
        # as by a selection: what is left still counts for what it did
        assert float(dropped.train.weight.sum()) == pytest.approx(19 / 20)
    with pytest.warns(InputWarning, match="2 of MET_pt, .*; they are kept"):
        kept = read(tmp_path, GOOD, not_finite="keep", cache=cache)
    assert np.isnan(values(kept.held_out)).sum() == 1
    with pytest.raises(InputError, match="2 of MET_pt"):
        read(tmp_path, GOOD, cache=cache)


def test_values_of_objects_that_are_not_finite(tiny, tmp_path):
    jets = ak.values_astype(ak.Array([[50.0, np.nan], [], [30.0], [20.0]]), np.float32)
    tiny.write_tree(tmp_path / "a.root", columns(4, Jet_pt=jets))
    request = Request(("Jet_pt", "MET_pt"), not_finite="drop")
    stored = StoredSample.read(sample(tmp_path, "a.root"), request)
    assert stored.totals.not_finite == {"Jet_pt": 1}
    assert [half[0].values["MET", "pt"].tolist() for half in stored.halves] == [[2.0], [1.0, 3.0]]
    assert stored.factors == (2.0, 2.0)


@pytest.mark.parametrize("value", [1e39, -4e300])
def test_numbers_that_overflow(tiny, tmp_path, value):
    met = np.arange(EVENTS, dtype=np.float64)
    met[7] = value
    tiny.write_tree(tmp_path / "a.root", columns(MET_pt=met))
    with pytest.raises(InputError, match=r"MET_pt: values up to \S+ do not fit into float32"):
        read(tmp_path, GOOD)
    events = ak.zip({"MET": ak.zip({"pt": met})}, depth_limit=1)
    with pytest.raises(ValueError, match=r"process 't': values of MET_pt up to \S+ do not fit into float32"):
        Dataset.from_awkward({"t": events}, {"t": np.ones(EVENTS)})
    with pytest.raises(ValueError, match=r"event weights up to 1e\+40 do not fit"):
        Dataset.from_awkward({"t": events[:5]}, {"t": np.full(5, 1e40)})


def test_weights_that_overflow(folder):
    with pytest.raises(InputError, match=r"process 't': event weights up to \S+ do not fit into float32"):
        read(folder, {**GOOD, "xsec_pb": 1e45})


# which event is which


def test_no_event_is_in_both_halves_by_its_number(tiny, tmp_path):
    numbers = np.repeat(np.arange(EVENTS // 2), 2)
    tiny.write_tree(tmp_path / "a.root", columns(event=numbers.astype(np.int64)))
    for chunk in (3, 7, 10_000):
        stored = StoredSample.read(sample(tmp_path, "a.root"), Request(("MET_pt", "event"), chunk=chunk))
        halves = [set(np.concatenate([p.values["event", ""] for p in half]).tolist()) for half in stored.halves]
        assert not halves[0] & halves[1] and len(halves[0] | halves[1]) == EVENTS // 2
        assert sum(stored.totals.halves) == EVENTS
        weights = sum(n * f for n, f in zip(stored.totals.halves, stored.factors, strict=True))
        assert weights == pytest.approx(2 * EVENTS)


def test_numbers_that_begin_anew_in_every_run_are_other_events(tiny, tmp_path):
    numbers = {"run": np.arange(EVENTS, dtype=np.uint32) // 5, "event": np.arange(EVENTS, dtype=np.uint64) % 5}
    tiny.write_tree(tmp_path / "a.root", columns(**numbers))
    stored = StoredSample.read(sample(tmp_path, "a.root"), Request(("MET_pt",)))
    assert stored.halves[0][0].values["MET", "pt"].tolist() == list(range(0, EVENTS, 2))


def test_an_event_that_is_there_twice(tiny, tmp_path):
    """In two files, or in one; also when only the layout knows what its number is called."""
    numbers = np.arange(EVENTS, dtype=np.int64)
    tiny.write_tree(tmp_path / "a.root", columns(number=numbers))
    tail = {name: each[30:] for name, each in columns(number=numbers).items()}
    tiny.write_tree(tmp_path / "b.root", tail)
    layout = Layout(branches={"event": "number"})
    for chunk in (4, 10_000):
        with pytest.raises(InputError, match=r"sample 't': \d+ events of \S+b\.root were read before"):
            StoredSample.read(sample(tmp_path, "a.root", "b.root"), Request(("MET_pt",), layout=layout, chunk=chunk))
    # without the number nothing tells
    assert StoredSample.read(sample(tmp_path, "a.root", "b.root"), Request(("MET_pt",))).events == EVENTS + 10


def test_dividing_any_numbers_in_any_chunks():
    rng = np.random.default_rng(1)
    for most in (1, 3, 50, 10_000):
        names = rng.integers(0, most, 300).astype(np.uint64)
        halves, cuts = Halves(Sample("t", ("a.root",), Path())), np.sort(rng.integers(0, 300, 12))
        odd = np.concatenate(
            [halves.odd(len(part), Identities(part, None), "a.root") for part in np.split(names, cuts)]
        )
        # the first event of each number goes to the other half than that of the number before
        half_of = {name: i % 2 == 1 for i, name in enumerate(dict.fromkeys(names.tolist()))}
        assert odd.tolist() == [half_of[name] for name in names.tolist()]


# files that do not fit each other


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (np.arange(EVENTS), r"MET_pt holds one float for each event in \S+a\.root and one integer for each .*b\.root"),
        (
            ak.Array([[1.0]] * EVENTS),
            r"MET_pt holds one float for each event in \S+a\.root and lists of float in \S+b\.root",
        ),
    ],
)
def test_files_of_one_sample_hold_the_same_kind_of_numbers(tiny, folder, other, message):
    tiny.write_tree(folder / "b.root", columns(MET_pt=other))
    both = {"files": ["a.root", "b.root"], "nevts_total": 2 * EVENTS, "xsec_pb": 1.0}
    with pytest.raises(InputError, match=message):
        read(folder, both)
    with pytest.raises(InputError, match=message):
        read_events([folder / "a.root", folder / "b.root"], ["MET_pt"])


def test_samples_hold_lists_of_the_same_depth(tiny, folder):
    tiny.write_tree(folder / "b.root", columns(MET_pt=ak.Array([[1.0]] * EVENTS)))
    entries = {"t": {"nominal": GOOD}, "u": {"nominal": {**GOOD, "files": ["b.root"]}}}
    message = (
        r"MET_pt holds a list for each event in \S+b\.root \(sample 'u'\) and one value for each event in \S+a\.root"
    )
    with pytest.raises(InputError, match=message):
        read(folder, entries, [Process("t"), Process("u")])


def test_weights_are_one_number_for_each_event(tiny, folder):
    tiny.write_tree(folder / "a.root", columns(genWeight=ak.Array([[1.0]] * EVENTS)))
    with pytest.raises(
        InputError, match=r"weights must be one number for each event, and genWeight holds var \* float"
    ):
        read(folder, GOOD)


def test_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe.root")
    with pytest.raises(InputError, match=r"pipe\.root is a pipe, not a file"):
        read(folder, {**GOOD, "files": ["pipe.root"]})
    with pytest.raises(InputError, match=r"sub is a folder, not a file"):
        (folder / "sub").mkdir()
        read_events(folder / "sub", ["MET_pt"])
    os.mkfifo(folder / "pipe.json")
    with pytest.raises(InputError, match=r"pipe\.json is not a regular file"):
        Fileset.load(folder / "pipe.json")


@pytest.mark.parametrize(("sign", "told"), [(0, "are 0, so that it would add"), (-1, "are negative, so that")])
def test_weights_of_which_none_is_positive(tiny, folder, sign, told):
    tiny.write_tree(folder / "a.root", columns(genWeight=np.full(EVENTS, sign, np.float32)))
    with pytest.raises(InputError, match=rf"sample 't': all 40 weights \(genWeight\) {told}"):
        read(folder, GOOD)
    # the weights of data stand for what they say
    assert read(folder, {"files": ["a.root"], "lumi_pb": 1.0, "weight": "genWeight"}).train.weight.shape
