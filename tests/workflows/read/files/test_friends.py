"""Files with further columns of the same events: their rows belong to the events, whatever they are written in."""

from __future__ import annotations

import dataclasses
import json
import runpy

import awkward as ak
import numpy as np
import pytest

from hepgrad.analysis import Analysis, Channel, CountingModel, Parameter, Parameters, Regular, stage
from hepgrad.workflows import Fileset, InputError, Layout, Process, Workflow, load, read_events
from hepgrad.workflows.cache import Cache
from hepgrad.workflows.execution import located
from hepgrad.workflows.export import selection_script
from hepgrad.workflows.read.reader import Request

EVENTS = 40
RNG = np.random.default_rng(3)
NUMBER = np.arange(EVENTS, dtype=np.int64) + 100
MET = RNG.exponential(40, EVENTS).astype(np.float32)
SCORE = RNG.uniform(0, 1, EVENTS).astype(np.float32)
COUNTS = RNG.integers(0, 4, EVENTS)
PT = ak.values_astype(ak.unflatten(RNG.exponential(40, COUNTS.sum()), COUNTS), np.float32)
TAG = ak.values_astype(ak.unflatten(RNG.uniform(0, 1, COUNTS.sum()), COUNTS), np.float32)


def parquet(path, columns):
    ak.to_parquet(ak.zip(columns, depth_limit=1), path)


def npz(path, columns):
    np.savez(path, **{name: values for name, values in columns.items() if not isinstance(values, ak.Array)})


def npy(path, columns):
    plain = {name: values for name, values in columns.items() if not isinstance(values, ak.Array)}
    table = np.zeros(len(next(iter(plain.values()))), [(name, values.dtype) for name, values in plain.items()])
    for name, values in plain.items():
        table[name] = values
    np.save(path, table)


@pytest.fixture
def folder(tiny, tmp_path):
    for name, part in (("a", slice(0, 25)), ("b", slice(25, None))):
        stored = {"MET_pt": MET[part], "event": NUMBER[part], "Jet_pt": PT[part]}
        tiny.write_tree(tmp_path / f"{name}.root", stored)
    return tmp_path


def friend(tiny, folder, suffix, **changes):
    """Write friends of both files, and return what a fileset says of them."""
    writers = {"parquet": parquet, "npz": npz, "npy": npy, "root": lambda path, columns: tiny.write_tree(path, columns)}
    for name, part in (("a", slice(0, 25)), ("b", slice(25, None))):
        columns = {"event": NUMBER[part], "score": SCORE[part], "Jet_tag": TAG[part], "unused": SCORE[part]}
        columns |= {key: values[part] for key, values in changes.items()}
        writers[suffix](folder / f"scores_{name}.{suffix}", columns)
    return "scores_{file}." + suffix


def fileset(folder, **entry):
    described = {"files": ["a.root", "b.root"], "nevts_total": EVENTS, "xsec_pb": 1.0, **entry}
    (folder / "fileset.json").write_text(json.dumps({"s": {"nominal": described}}))
    return Fileset.load(folder)


def read(sample, *columns, **more):
    return read_events(sample.files, columns, friends=sample.friends, **more)


@pytest.mark.parametrize("suffix", ["parquet", "root", "npz", "npy"])
def test_rows_belong_to_events(tiny, folder, suffix):
    sample = fileset(folder, friends=friend(tiny, folder, suffix))["s"]
    lists = ["Jet_tag"] if suffix in ("parquet", "root") else []
    events = read(sample, "MET_pt", "score", "Jet_pt", *lists)
    assert events.score.tolist() == SCORE.tolist()
    assert events.MET.pt.tolist() == MET.tolist()
    assert not lists or events.Jet.tag.tolist() == TAG.tolist()


def test_blocks_hold_them_and_a_cache_notices_a_change(tiny, folder):
    files = fileset(folder, friends=friend(tiny, folder, "parquet"))
    cache = Cache(folder / "cache")

    def scores(**more):
        split = load(files, [Process("s")], ["MET_pt", "score"], luminosity=1.0, **more)
        halves = (split.train, split.held_out)
        real = [np.asarray(half.process).ravel() == 0 for half in halves]
        return [np.asarray(h.columns.columns["score"]).ravel()[r].tolist() for h, r in zip(halves, real, strict=True)]

    assert scores() == [SCORE[::2].tolist(), SCORE[1::2].tolist()]
    assert scores(cache=cache) == scores(cache=cache) == scores()
    friend(tiny, folder, "parquet", score=1 - SCORE)
    assert scores(cache=cache) == [(1 - SCORE)[::2].tolist(), (1 - SCORE)[1::2].tolist()]


def test_friends_of_single_files_and_by_the_names_of_branches(tiny, folder):
    friend(tiny, folder, "npz")
    files = [{"path": f"{name}.root", "friends": f"scores_{name}.npz"} for name in "ab"]
    sample = fileset(folder, files=files)["s"]
    layout = Layout(branches={"bdt": "score"})
    assert read(sample, "bdt", "MET_pt", layout=layout).bdt.tolist() == SCORE.tolist()
    assert Request(("score",)).of(sample) == ("score",)


@stage(reads=("MET_pt", "score"))
def select(events, cut):
    return events.select(events.score > cut.score)


@pytest.mark.parametrize("suffix", ["parquet", "root", "npz", "npy"])
def test_a_script_reads_them(tiny, folder, suffix):
    fileset(folder, friends=friend(tiny, folder, suffix))
    analysis = Analysis([select], [Channel("met", "MET.pt", Regular(4, 0, 200))], CountingModel(["s"], 0.1))
    workflow = Workflow(
        name="scores",
        title="scores",
        analysis=analysis,
        parameters=Parameters(score=Parameter(0.5, bounds=(0, 1), width=0.1)),
        processes=[Process("s", signal=True)],
        luminosity=EVENTS,
        data=folder,
    )
    found, where = located(workflow)
    (folder / "selection.py").write_text(selection_script(found, found.parameters, where))
    filled = runpy.run_path(str(folder / "selection.py"))["histograms"](where.source)
    assert filled["met", "s"].sum(flow=True).value == pytest.approx(np.count_nonzero(SCORE > 0.5))


def test_rows_that_are_not_those_of_the_events(tiny, folder):
    sample = fileset(folder, friends=friend(tiny, folder, "parquet", event=NUMBER[::-1].copy()))["s"]
    with pytest.raises(InputError, match=r"scores_a\.parquet, a friend of .* has event 139 in row 0, where"):
        read(sample, "score", "MET_pt")
    with pytest.raises(InputError, match="in another order"):
        load(Fileset.load(folder), [Process("s")], ["score"], luminosity=1.0)
    for number in (3, 26):
        np.savez(folder / "short.npz", score=SCORE[:number])
        with pytest.raises(InputError, match=rf"short\.npz, a friend of .* has {number} rows"):
            read_events(folder / "a.root", ["score", "MET_pt"], friends=[[folder / "short.npz"]])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.parquet", None, r"there is no file .*missing\.parquet, which is to have further columns"),
        ("scores.csv", b"1", r"a friend is a ROOT file .* not \.csv"),
        ("damaged.parquet", b"PAR1", r"damaged\.parquet cannot be read"),
        ("damaged.root", b"root", r"damaged\.root cannot be read"),
    ],
)
def test_friends_that_are_none(folder, name, content, message):
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_events(folder / "a.root", ["score"], friends=[[folder / name]])


def test_what_is_told_of_names(tiny, folder):
    np.savez(folder / "one.npz", other=SCORE[:25])
    with pytest.raises(InputError, match=r"one\.npz, a friend of .*, has no column that is read; it has other"):
        read_events(folder / "a.root", ["score"], friends=[[folder / "one.npz"]])
    np.save(folder / "plain.npy", SCORE[:25])
    with pytest.raises(InputError, match=r"array without names; save it as \.npz"):
        read_events(folder / "a.root", ["score"], friends=[[folder / "plain.npy"]])
    friend(tiny, folder, "npz"), friend(tiny, folder, "npy")
    both = [folder / "scores_a.npz", folder / "scores_a.npy"]
    with pytest.raises(InputError, match="both have 'score'; keep one"):
        read_events(folder / "a.root", ["score"], friends=[both])
    with pytest.raises(InputError, match=r"cannot be that of all files; write {file} for the name of each"):
        fileset(folder, friends="one.npz")
    with pytest.raises(InputError, match="friends are paths of files, got 3"):
        fileset(folder, friends=3)


def test_weights_may_be_an_item_of_a_list(tiny, folder):
    """As the nominal weight of ATLAS files is; an index is part of the name of the weight."""
    weights = ak.Array([[1.0 + 0.5 * (i % 2), 7.0] for i in range(EVENTS)])
    tiny.write_tree(folder / "w.root", {"MET_pt": MET, "mcWeights": ak.values_astype(weights, np.float32)})
    entry = {"files": ["w.root"], "sumw_total": 50.0, "weight": "mcWeights[0]", "nevts_total": None}
    split = load(fileset(folder, **entry), [Process("s")], ["MET_pt"], luminosity=10.0)
    # the events of either half stand for all: 20 of weight 1 are trained on, 20 of weight 1.5 are held out
    assert np.asarray(split.train.weight).sum() == pytest.approx(10.0 * 40 / 50)
    assert np.asarray(split.held_out.weight).sum() == pytest.approx(10.0 * 60 / 50)
    entry["weight"] = "mcWeights[2]"
    with pytest.raises(InputError, match=r"mcWeights has no item 2 in 40 of 40 events"):
        load(fileset(folder, **entry), [Process("s")], ["MET_pt"], luminosity=10.0)
    sample = dataclasses.replace(fileset(folder, **entry)["s"], weight="mcWeights")
    assert (sample.weight_column, sample.weight_position) == ("mcWeights", None)
