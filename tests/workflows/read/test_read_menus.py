"""Columns that some files lack, filesets of others, certified data, and columns that point into other collections."""

from __future__ import annotations

import dataclasses
import json

import awkward as ak
import jax
import numpy as np
import pytest

import hepgrad.ragged as rg
from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Dataset,
    Hard,
    Objects,
    Parameters,
    Regular,
    stage,
)
from hepgrad.workflows import Era, Fileset, InputError, Layout, Process, Workflow, load, read_events
from hepgrad.workflows.execution import load_events, located
from hepgrad.workflows.export.runtime import filling
from hepgrad.workflows.export.runtime import objects as exported
from hepgrad.workflows.read import LumiMask

EVENTS = 12


def columns(**further):
    met = np.arange(EVENTS, dtype=np.float32)
    return {
        "MET_pt": met,
        "Jet_pt": ak.values_astype(ak.Array([[40.0, 30.0], []] * (EVENTS // 2)), np.float32),
    } | further


# columns that some files lack


@pytest.fixture
def eras(tiny, tmp_path):
    """Two samples, of which one lacks a trigger, a flag of jets and a number."""
    fired = np.arange(EVENTS) % 3 == 0
    flag = ak.values_astype(ak.Array([[6, 2], []] * (EVENTS // 2)), np.int32)
    new = columns(HLT_Mu=fired, HLT_Ele=~fired, Jet_jetId=flag, weight=np.full(EVENTS, 2, np.float32))
    tiny.write_tree(tmp_path / "new.root", new)
    tiny.write_tree(tmp_path / "old.root", columns(HLT_Ele=~fired))
    described = {"nevts_total": EVENTS, "xsec_pb": 1.0}
    fileset = {name: {"nominal": {"files": [f"{name}.root"], **described}} for name in ("new", "old")}
    (tmp_path / "fileset.json").write_text(json.dumps(fileset))
    return tmp_path


BRANCHES = ["MET_pt", "Jet_pt", "Jet_jetId", "HLT_Mu", "HLT_Ele", "weight"]


def test_a_default_stands_for_a_branch_that_a_file_lacks(eras):
    layout = Layout(defaults={"HLT_*": False, "Jet_jetId": 7, "weight": 1.0})
    old, new = (read_events(eras / f"{name}.root", BRANCHES, layout=layout) for name in ("old", "new"))
    assert old.HLT.Mu.tolist() == [False] * EVENTS
    assert old.Jet.jetId.tolist() == [[7, 7], []] * (EVENTS // 2)
    assert old.weight.tolist() == [1.0] * EVENTS
    plain = read_events(eras / "new.root", BRANCHES)
    assert ak.array_equal(new, plain)
    assert ak.type(old).content == ak.type(plain).content

    split = load(
        Fileset.load(eras), [Process("new"), Process("old")], BRANCHES, luminosity=1.0, layout=layout, block_size=64
    )
    process, fired = np.asarray(split.train.process), np.asarray(split.train.columns.HLT.Mu)
    assert fired[process == 0].tolist() == plain.HLT.Mu[::2].tolist()
    assert not fired[process == 1].any()

    how = {"defaults": {column: layout.default(column) for column in BRANCHES if layout.default(column) is not None}}
    scripted = filling.read_events(eras / "old.root", BRANCHES, tree="Events", **how)
    assert scripted.Jet.jetId.tolist() == old.Jet.jetId.tolist()
    assert scripted.HLT.Mu.tolist() == old.HLT.Mu.tolist()


def test_without_a_default_a_branch_has_to_be_there(eras):
    with pytest.raises(InputError, match=r"old\.root: tree 'Events' has no branch 'HLT_Mu'; it has HLT_Ele"):
        read_events(eras / "old.root", BRANCHES, layout=Layout(defaults={"Jet_jetId": 7, "weight": 1.0}))


def test_a_real_trigger_that_one_sample_lacks(shared_data):
    layout = Layout(defaults={"HLT_IsoMu24": False})
    paths = [shared_data / "coffea" / name for name in ("nano_dy.root", "nano_tt_v12.root")]
    for path in paths:
        assert read_events(path, ["HLT_IsoMu24", "Muon_pt"], layout=layout).HLT.IsoMu24.type.content.primitive == "bool"


# filesets of others


@pytest.mark.parametrize(
    "entry",
    [
        ["new.root"],
        {"files": {"new.root": "Events"}},
        {
            "files": {"new.root": {"object_path": "Events", "steps": [[0, 12]]}},
            "metadata": {"year": 2018},
            "form": None,
        },
        {"files": {"new.root": "Events"}, "metadata": {"nevts_total": EVENTS, "xsec_pb": 1.0, "weight": None}},
    ],
)
def test_filesets_as_coffea_writes_them(eras, entry):
    (eras / "coffea.json").write_text(json.dumps({"new": entry}))
    sample = Fileset.load(eras / "coffea.json").with_cross_sections({"new": 1.0})["new"]
    assert sample.files == (str(eras / "new.root"),)
    assert sample.cross_section == 1.0


@pytest.mark.parametrize(
    "content",
    [
        # PocketCoffea
        {"new": {"files": ["new.root"], "metadata": {"sample": "X", "year": "2018", "isMC": "True", "xsec": "2.0"}}},
        # RDataFrame's specification
        {"samples": {"new": {"trees": ["Events"], "files": ["new.root"], "metadata": {"xsec": 2.0}}}},
    ],
)
def test_filesets_of_other_frameworks(eras, content):
    (eras / "other.json").write_text(json.dumps(content))
    sample = Fileset.load(eras / "other.json")["new"]
    assert sample.files == (str(eras / "new.root"),)
    assert sample.cross_section == 2.0
    assert sample.era in ("2018", "")


# periods of data taking, and extensions


def with_eras(tiny, folder, **changes):
    """Signal and background of two years with triggers of other names; each event of a sample counts the same."""
    content = {}
    for process in "sb":
        for year, trigger in (("2017", "HLT_IsoMu27"), ("2018", "HLT_IsoMu24")):
            name = f"{process}_{year}"
            tiny.write_tree(folder / f"{name}.root", columns(**{trigger: np.arange(EVENTS) % 3 == 0}))
            content[name] = {"files": [f"{name}.root"], "nevts_total": EVENTS, "xsec_pb": 3.0, "era": year}
    for name, entry in changes.items():
        content[name].update(entry)
    (folder / "fileset.json").write_text(json.dumps({name: {"nominal": entry} for name, entry in content.items()}))
    triggers = {"2017": "HLT_IsoMu27", "2018": "HLT_IsoMu24"}
    return {
        year: Era(luminosity, Layout(branches={"HLT_muon": triggers[year]}, defaults={"year": int(year)}))
        for year, luminosity in (("2017", 40.0), ("2018", 60.0))
    }


@stage(reads=("MET_pt", "HLT_muon", "year"))
def by_year(events, cut):
    factor = jax.numpy.where(events.year.content == 2018, 0.5, 1.0)
    return events.select(events.HLT.muon, "trigger").weighted(factor).with_field(met=events.MET.pt)


def test_eras_have_luminosities_triggers_and_corrections_of_their_own(tiny, tmp_path):
    eras = with_eras(tiny, tmp_path)
    workflow = Workflow(
        name="eras",
        title="eras",
        analysis=Analysis([by_year], [Channel("met", "met", Regular(2, 0, 20))], CountingModel(["s"], 0.1)),
        parameters=Parameters(),
        processes=[Process(p, datasets=[f"{p}_2017", f"{p}_2018"], signal=p == "s") for p in "sb"],
        luminosity=100.0,
        data=tmp_path,
        eras=eras,
    )
    found, fileset = located(workflow)
    events = load_events(found, fileset)
    for half in (events.train, events.held_out):
        assert np.asarray(half.weight).sum() == pytest.approx(2 * 3.0 * (40 + 60), rel=1e-6)
        counts = found.analysis.histograms(half, found.parameters, Hard())["met"]
        # a third of the events fires the trigger, and those of 2018 count half
        np.testing.assert_allclose(np.asarray(counts.sumw).sum(axis=-1), 3.0 * (40 + 60 * 0.5) / 3, rtol=1e-6)
    with pytest.raises(ValueError, match=r"its eras have 100/pb together, and its luminosity is 101/pb"):
        dataclasses.replace(workflow, luminosity=101.0)
    missing = dataclasses.replace(workflow, processes=[Process("s", datasets=["s_2017"], signal=True)])
    with pytest.raises(InputError, match=r"samples of the eras 2017, and none of 2018 .* luminosity of 2018"):
        missing.ingredients(fileset)
    with_eras(tiny, tmp_path, s_2017={"era": "2016"})
    with pytest.raises(InputError, match=r"sample 's_2017' is of the era '2016', and the workflow has the eras '2017'"):
        located(workflow)
    with pytest.raises(ValueError, match="luminosity of an era must be positive"):
        Era(0.0)


def test_an_extension_is_added_to_its_sample(tiny, tmp_path):
    for name in ("a", "ext"):
        tiny.write_tree(tmp_path / f"{name}.root", columns())
    entry = {"files": ["a.root"], "nevts_total": 12, "xsec_pb": 4.0}

    def fileset(**changes):
        extension = {"files": ["ext.root"], "nevts_total": 20, "extends": "a", **changes}
        (tmp_path / "fileset.json").write_text(json.dumps({"a": {"nominal": entry}, "b": {"nominal": extension}}))
        return Fileset.load(tmp_path)

    sample = fileset()["a"]
    assert sample.files == tuple(str(tmp_path / f"{name}.root") for name in ("a", "ext"))
    assert sample.events_per_weight(8.0) == pytest.approx(4.0 * 8.0 / 32)
    assert list(fileset().samples) == ["a"]
    split = load(fileset(), [Process("a")], ["MET_pt"], luminosity=8.0)
    assert np.asarray(split.train.weight).sum() == pytest.approx(4.0 * 8.0 * 24 / 32)
    for changes, message in (
        ({"extends": "c"}, "sample 'b' extends 'c', which is not there"),
        ({"extends": ["a"]}, r"extends must be a name, got \['a'\]"),
        ({"xsec_pb": 5.0}, r"'b' extends 'a', which has 4.0 pb, and it has 5.0 pb"),
        ({"nevts_total": None, "sumw_total": 3.0}, "both need the same key: sumw_total, or nevts_total"),
        ({"files": ["a.root"]}, "which would|events would count twice"),
    ):
        with pytest.raises(InputError, match=message):
            fileset(**changes)


# certified data


def golden(folder, content):
    (folder / "golden.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder / "golden.json"


def test_only_certified_luminosity_blocks_are_read(tiny, tmp_path):
    numbers = {"run": np.repeat([1, 2, 3], 4).astype(np.uint32), "luminosityBlock": np.tile([5, 6, 7, 8], 3)}
    tiny.write_tree(tmp_path / "data.root", columns(**{k: v.astype(np.uint32) for k, v in numbers.items()}))
    golden(tmp_path, {"1": [[6, 7]], "3": [[1, 5], [8, 8]]})
    entry = {"files": ["data.root"], "lumi_pb": 10.0, "lumi_mask": "golden.json"}
    (tmp_path / "fileset.json").write_text(json.dumps({"data": {"nominal": entry}}))
    split = load(Fileset.load(tmp_path), [Process("data")], ["MET_pt"], luminosity=10.0)
    found = [
        np.asarray(half.columns.MET.pt)[np.asarray(half.process) == 0].tolist()
        for half in (split.train, split.held_out)
    ]
    assert found == [[2.0, 8.0], [1.0, 11.0]]


def test_a_mask_agrees_with_a_plain_look_up(tmp_path):
    rng = np.random.default_rng(3)
    ranges = {str(run): np.sort(rng.integers(1, 60, (4, 2)), axis=1).tolist() for run in rng.integers(1, 30, 12)}
    mask = LumiMask.load(golden(tmp_path, ranges))
    run, block = rng.integers(0, 32, 3000), rng.integers(0, 64, 3000)
    expected = [
        any(first <= b <= last for first, last in ranges.get(str(r), [])) for r, b in zip(run, block, strict=True)
    ]
    assert mask(ak.Array({"run": run, "luminosityBlock": block})).tolist() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "golden.json cannot be read as a list of certified luminosity blocks"),
        ({}, "golden.json: expected runs with ranges"),
        ({"1": [[7, 6]]}, r"run '1' needs ranges of luminosity blocks such as \[\[1, 12\]\], got \[\[7, 6\]\]"),
        ({"first": [[1, 2]]}, "run 'first' needs ranges"),
        ({"1": [1, 2]}, "run '1' needs ranges"),
        ('{"1": [[1, 2]], "1": [[3, 4]]}', "golden.json: the key '1' is there twice"),
    ],
)
def test_masks_that_are_none(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        LumiMask.load(golden(tmp_path, content))


# columns that point into other collections


def test_positions_find_the_objects_that_they_point_at(shared_data):
    """Also inside jit and in an exported script; a muon without a jet finds the value that was asked for."""
    events = read_events(
        shared_data / "coffea" / "nano_tt_v12.root",
        ["Muon_pt", "Muon_jetIdx", "Jet_pt", "GenPart_pdgId", "GenPart_genPartIdxMother"],
    )
    data = Dataset.from_awkward({"tt": events}, {"tt": np.ones(len(events))})
    stored = jax.tree.map(lambda leaf: leaf[0], data.events)
    pairs = (("Jet", "pt", "Muon", "jetIdx"), ("GenPart", "pdgId", "GenPart", "genPartIdxMother"))
    for collection, field, pointing, positions in pairs:
        rows = zip(events[collection][field].tolist(), events[pointing][positions].tolist(), strict=True)
        expected = [[row[i] if i >= 0 else -7 for i in these] for row, these in rows]
        objects, where = getattr(stored, collection), getattr(stored, pointing)[positions]
        found = jax.jit(lambda objects, where, field=field: objects.at(where, fill_value=-7)[field])(objects, where)
        assert rg.to_list(found)[: len(events)] == expected
        plain = exported.Objects.as_read(events[collection]).at(events[pointing][positions], fill_value=-7)
        assert plain[field].tolist() == expected


def test_an_object_that_is_pointed_at_brings_its_probability():
    jets = Objects.of(rg.from_lists([[{"pt": 30.0}, {"pt": 50.0}], [], [{"pt": 60.0}]]))
    positions = rg.from_lists([[1, 0, -1, 5], [0], [0, 0]])
    found = jets.select(jets.pt > 40.0).at(positions)
    assert rg.to_list(found.probability) == [[1, 0, 0, 0], [0], [1, 1]]
    assert rg.to_list(found.pt) == [[50, 30, 0, 0], [0], [60, 60]]

    def total(pt):
        return jax.numpy.sum(Objects.of(rg.zip({"pt": jets.pt.with_content(pt)})).at(positions).sum("pt"))

    np.testing.assert_array_equal(jax.grad(total)(jets.pt.content), [1, 1, 2])


# data sets and samples that differ


def test_an_event_is_in_one_of_two_data_sets(tiny, tmp_path):
    numbers = np.arange(EVENTS)
    fired = {"muon": numbers % 2 == 0, "electron": numbers % 3 == 0}
    for name, passed in fired.items():
        read = {"MET_pt": numbers.astype(np.float32), "event": numbers.astype(np.int64), "muon": fired["muon"]}
        tiny.write_tree(tmp_path / f"{name}.root", {key: each[passed] for key, each in read.items()})
    described = {name: {"nominal": {"files": [f"{name}.root"], "lumi_pb": 1.0}} for name in fired}
    (tmp_path / "fileset.json").write_text(json.dumps(described))
    fileset, data = Fileset.load(tmp_path), [Process("data", datasets=("muon", "electron"))]
    with pytest.raises(InputError, match=r"process 'data': 2 events are in both samples 'muon' and 'electron'"):
        load(fileset, data, ["MET_pt"], luminosity=1.0)

    def not_muon(events):
        return ~events.muon

    alone = dataclasses.replace(fileset["electron"], keep=(not_muon,), reads=("muon",))
    samples = {**fileset.samples, "electron": alone}
    split = load(dataclasses.replace(fileset, samples=samples), data, ["MET_pt"], luminosity=1.0)
    found = [np.asarray(half.columns.MET.pt)[np.asarray(half.process) == 0] for half in (split.train, split.held_out)]
    assert sorted(np.concatenate(found).tolist()) == numbers[fired["muon"] | fired["electron"]].tolist()


def test_a_sample_may_have_a_layout_of_its_own(tiny, tmp_path):
    tiny.write_tree(tmp_path / "new.root", {"MET_pt": np.arange(EVENTS, dtype=np.float32)})
    tiny.write_tree(tmp_path / "old.root", {"PuppiMET_pt": 100 + np.arange(EVENTS, dtype=np.float32)})
    described = {"nevts_total": EVENTS, "xsec_pb": 1.0}
    fileset = {name: {"nominal": {"files": [f"{name}.root"], **described}} for name in ("new", "old")}
    (tmp_path / "fileset.json").write_text(json.dumps(fileset))
    loaded = Fileset.load(tmp_path).with_layouts({"old": Layout(branches={"MET_*": "PuppiMET_*"})})
    split = load(loaded, [Process("new"), Process("old")], ["MET_pt"], luminosity=1.0)
    found = np.asarray(split.train.columns.MET.pt)[np.asarray(split.train.process) < 2]
    assert sorted(found.tolist()) == [*range(0, EVENTS, 2), *range(100, 100 + EVENTS, 2)]
    with pytest.raises(InputError, match="there is no sample 'oldd'"):
        loaded.with_layouts({"oldd": Layout()})
