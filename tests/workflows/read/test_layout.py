"""Layouts: whatever a file calls its branches, stages read columns."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot

from hepgrad.analysis import stage
from hepgrad.analysis.stages.needs import branch_names, check_needs
from hepgrad.workflows import FLAT, NANOAOD, Layout, read_events

TUTORIAL = Layout(branches={"n*": "N*", "MET_*": "MET_*", "*_px": "*_Px", "*_py": "*_Py", "*_charge": "*_Charge"})


def test_tutorial_of_2012(shared_data):
    path = shared_data / "hep_tutorial_cms2011" / "single_top.root"
    columns = ["nJet", "Jet_px", "Jet_py", "Muon_charge", "MET_px", "triggerIsoMu24", "EventWeight"]
    events = read_events(path, columns, tree="events", layout=TUTORIAL)
    assert sorted(branch_names({name: events[name] for name in events.fields})) == sorted(columns)
    with uproot.open(path) as file:
        raw = file["events"].arrays(["NJet", "Jet_Px", "Muon_Charge", "MET_px"])
    assert events.Jet.px.tolist() == raw.Jet_Px.tolist()
    assert events.Muon.charge.tolist() == raw.Muon_Charge.tolist()
    assert events.MET.px.tolist() == raw.MET_px.tolist()
    assert events.nJet.tolist() == raw.NJet.tolist() == ak.num(events.Jet).tolist()


def test_flat_files_stay_flat(shared_data):
    path = shared_data / "htautau_cms2012" / "VBF_HToTauTauSkim.root"
    events = read_events(path, ["pt_1", "q_1", "mt_1", "njets"], layout=FLAT)
    assert str(events.type) == "1015 * {pt_1: float32, q_1: int32, mt_1: float64, njets: int32}"
    with uproot.open(path) as file:
        assert events.pt_1.tolist() == file["Events"]["pt_1"].array().tolist()


def test_names_with_dots_and_momenta_in_mev(tiny, tmp_path):
    """ATLAS's PHYSLITE."""
    pt = ak.values_astype(ak.Array([[50e3, 30e3], [], [25e3]]), np.float32)
    tiny.write_tree(tmp_path / "a.root", {"AnalysisJetsAuxDyn.pt": pt, "AnalysisJetsAuxDyn.eta": pt / 1e5}, "Tree")
    layout = Layout(branches={"Jet_*": "AnalysisJetsAuxDyn.*"}, factors={"*_pt": 1e-3, "*_m": 1e-3})
    events = read_events(tmp_path / "a.root", ["Jet_pt", "Jet_eta"], tree="Tree", layout=layout)
    assert events.Jet.pt.tolist() == [[50, 30], [], [25]]
    assert events.Jet.eta.tolist() == (pt / 1e5).tolist()
    assert str(events.type) == "3 * {Jet: var * {pt: float32, eta: float32}}"


@pytest.mark.parametrize("layout", [NANOAOD, FLAT])
def test_stages_find_what_they_read(tiny, tmp_path, layout):
    """What comes out of a file is called as a stage reads it."""
    columns = ["Jet_pt", "MET_pt", "nJet"]
    jets = ak.values_astype(ak.Array([[50.0], []]), np.float32)
    met = np.array([1.0, 2.0], np.float32)
    tiny.write_tree(tmp_path / "a.root", {"Jet_pt": jets, "MET_pt": met, "nJet": met})
    events = read_events(tmp_path / "a.root", columns, layout=layout)
    reading = stage(reads=columns, name="reading")(lambda events, cut: events)
    check_needs([reading], branches=branch_names({name: events[name] for name in events.fields}), parameters=[])


def test_the_exact_name_goes_before_patterns():
    layout = Layout(branches={"*_pt": "*_PT", "MET_pt": "MissingET"}, factors={"*_pt": 2.0, "MET_pt": 3.0})
    assert [layout.branch(name) for name in ("Jet_pt", "MET_pt")] == ["Jet_PT", "MissingET"]
    assert [layout.factor(name) for name in ("Jet_pt", "MET_pt", "Jet_eta")] == [2.0, 3.0, 1.0]


@pytest.mark.parametrize("branches", [{"*_p*": "*_P*"}, {"Jet_pt": "*"}, {"*_pt": "pt"}])
def test_patterns_that_cannot_be_followed(branches):
    with pytest.raises(ValueError, match="needs at most one star, and on both sides or on none"):
        Layout(branches=branches)


def test_several_files_are_one(tiny, tmp_path):
    for name, values in {"b1": [3.0], "a2": [1.0, 2.0]}.items():
        tiny.write_tree(tmp_path / f"{name}.root", {"MET_pt": np.array(values, np.float32)})
    assert read_events(tmp_path / "*.root", ["MET_pt"]).MET.pt.tolist() == [1, 2, 3]
    both = [tmp_path / "b1.root", tmp_path / "a2.root"]
    assert read_events(both, ["MET_pt"]).MET.pt.tolist() == [3, 1, 2]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"factors": {"*_pt": "0.001"}}, r"the factor of '\*_pt' must be a number, got '0.001'"),
        ({"factors": {"Jet_pt": float("nan")}}, "the factor of 'Jet_pt' must be a number, got nan"),
        ({"defaults": {"HLT_*": "no"}}, r"the default of 'HLT_\*' must be a number, True or False, got 'no'"),
    ],
)
def test_numbers_that_are_none(wrong, message):
    with pytest.raises(ValueError, match=message):
        Layout(**wrong)


@pytest.mark.parametrize("column", ["Muon_track", "Muon_*", "*idx", "Muon_idx*", "IdxMuon_track"])
def test_columns_of_links_say_that_they_are_positions(column):
    """Where nothing is pointed at, other numbers are 0: the first object, if they were followed on."""
    star = "*" if "*" in column else ""
    with pytest.raises(ValueError, match=r"holds positions of objects .*; call it '.*Idx'"):
        Layout(branches={column: f"AnalysisMuonsAuxDyn.links{star} -> Tracks"})
