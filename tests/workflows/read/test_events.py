"""Events from ROOT files: names become records, and everything that can be wrong with a file has its message."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot

from hepgrad.workflows import InputError, read_events

JET_PT = ak.values_astype(ak.Array([[90.0, 40.0], [], [30.0]]), np.float32)
MET_PT = np.array([10.0, 20.0, 30.0], np.float32)


@pytest.fixture
def path(tiny, tmp_path):
    path = tmp_path / "events.root"
    branches = {
        "Jet_pt": JET_PT,
        "Jet_btagCSVV2": JET_PT / 100,
        "MET_pt": MET_PT,
        "MET_phi": MET_PT,
        "genWeight": MET_PT,
    }
    tiny.write_tree(path, branches)
    return path


def test_names_become_records(path):
    events = read_events(path, ["Jet_pt", "Jet_btagCSVV2", "MET_pt", "MET_phi", "genWeight"])
    assert events.fields == ["Jet", "MET", "genWeight"]
    assert events.Jet.fields == ["pt", "btagCSVV2"]
    assert events.Jet.pt.tolist() == JET_PT.tolist()
    assert events.MET.pt.tolist() == events.genWeight.tolist() == MET_PT.tolist()


def test_only_what_was_asked_for_and_in_its_own_precision(path):
    events = read_events(path, ["MET_pt", "Jet_pt", "MET_pt"])
    assert str(events.type) == "3 * {MET: {pt: float32}, Jet: var * {pt: float32}}"


@pytest.mark.thorough
def test_rntuple_and_ttree_twins_agree(shared_data):
    branches = ["Jet_pt", "Jet_eta", "Muon_pt", "MET_pt", "genWeight"]
    twins = [read_events(shared_data / "coffea" / name, branches) for name in ("nano_dy.root", "nano_dy_rntuple.root")]
    assert twins[0].fields == ["Jet", "Muon", "MET", "genWeight"]
    assert twins[0].tolist() == twins[1].tolist()


def test_real_nanoaod(shared_data):
    path = shared_data / "skhep" / "nanoAOD_2015_CMS_Open_Data_ttbar.root"
    events = read_events(
        path, ["Muon_pt", "Muon_pfRelIso04_all", "Jet_btagCSVV2", "HLT_IsoMu20", "nJet", "LHEPdfWeight"]
    )
    assert len(events) == 200
    assert events.Muon.fields == ["pt", "pfRelIso04_all"]
    assert events.HLT.IsoMu20.type.content.primitive == "bool"
    assert ak.all(ak.num(events.Jet) == events.nJet)
    assert events.LHEPdfWeight.ndim == 2


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*nothing\.root"):
        read_events(tmp_path / "nothing.root", ["Jet_pt"])


def test_missing_branch_names_those_that_are_there(path):
    message = r"events\.root: tree 'Events' has no branch 'Jet_btag'; it has Jet_btagCSVV2, .*Jet_pt, .*MET_phi"
    with pytest.raises(InputError, match=message):
        read_events(path, ["Jet_pt", "Jet_btag"])
    with pytest.raises(InputError, match="has no branches 'Jet_mass', 'Muon_pt'; it has "):
        read_events(path, ["Jet_mass", "Jet_pt", "Muon_pt"])


def test_missing_branch_of_hundreds(shared_data):
    with pytest.raises(InputError, match=r"has no branch 'HLT_IsoMu24'; it has HLT_IsoMu2.* and 9.. more$"):
        read_events(shared_data / "skhep" / "nanoAOD_2015_CMS_Open_Data_ttbar.root", ["HLT_IsoMu24"])


def test_missing_tree_names_those_that_are_there(path):
    with pytest.raises(InputError, match=r"events\.root: expected a tree 'Delphes', the file has 'Events'"):
        read_events(path, ["Jet_pt"], tree="Delphes")


def test_file_without_trees(tmp_path):
    with uproot.recreate(tmp_path / "histograms.root") as file:
        file["counts"] = np.histogram([1.0, 2.0])
    with pytest.raises(InputError, match="expected a tree 'Events', the file has no tree"):
        read_events(tmp_path / "histograms.root", ["Jet_pt"])


def test_empty_tree(tmp_path):
    with uproot.recreate(tmp_path / "empty.root") as file:
        file.mktree("Events", {"MET_pt": np.float32})
    with pytest.raises(InputError, match=r"empty\.root: tree 'Events' has no events"):
        read_events(tmp_path / "empty.root", ["MET_pt"])


def test_empty_tree_of_a_real_file(shared_data):
    with pytest.raises(InputError, match=r"nano_dy_empty\.root: tree 'Events' has no events"):
        read_events(shared_data / "coffea" / "nano_dy_empty.root", ["Jet_pt"])


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_truncated_file(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"events\.root cannot be read; it is truncated, damaged or not a ROOT file"):
        read_events(path, ["Jet_pt", "MET_pt"])


def test_damaged_file(path):
    """Bytes that were lost in the middle, where the data are."""
    content = bytearray(path.read_bytes())
    with uproot.open(path) as file:
        branch = file["Events"]["Jet_pt"]
        start = int(branch.member("fBasketSeek")[0])
    content[start : start + 60] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"events\.root cannot be read; it is truncated, damaged"):
        read_events(path, ["Jet_pt"])


def test_not_a_root_file(tmp_path):
    (tmp_path / "notes.root").write_text("these are my notes, and no events\n" * 40)
    with pytest.raises(InputError, match=r"notes\.root cannot be read; it is .* not a ROOT file .*first four bytes"):
        read_events(tmp_path / "notes.root", ["Jet_pt"])


def test_branches_that_do_not_fit_each_other(tiny, tmp_path):
    other = ak.values_astype(ak.Array([[1.0], [], [3.0]]), np.float32)
    tiny.write_tree(tmp_path / "a.root", {"Jet_pt": JET_PT, "Jet_mass": other, "Jet_count": MET_PT})
    with pytest.raises(InputError, match="Jet_pt, Jet_mass do not have the same number of objects in every event"):
        read_events(tmp_path / "a.root", ["Jet_pt", "Jet_mass"])
    message = r"Jet_pt, Jet_count cannot form one field 'Jet': .*one list per event \(Jet_pt\) .*\(Jet_count\)"
    with pytest.raises(InputError, match=message):
        read_events(tmp_path / "a.root", ["Jet_pt", "Jet_count"])
