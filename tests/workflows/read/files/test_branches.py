"""Branches by the names that people know: parts of objects, and the true reason where there are no numbers."""

from __future__ import annotations

import types

import awkward as ak
import pytest
from uproot.interpretation.grouped import AsGrouped
from uproot.interpretation.identify import UnknownInterpretation

from hepgrad.workflows import InputError
from hepgrad.workflows.read.files.branches import located


class Tree(dict):
    """As much of a tree as is looked at: branches by their path."""

    def __init__(self, **ways):
        holders = {
            path: types.SimpleNamespace(name=path.rpartition("/")[2], interpretation=way, typename="Thing")
            for path, way in ways.items()
        }
        for path, holder in holders.items():
            holder.branches = [other for name, other in holders.items() if name.startswith(f"{path}/")]
        super().__init__(holders)


# uproot cannot write split objects; the paths are those of files of TreeMaker and Delphes
TREE = Tree(
    **{
        "Muons": AsGrouped(None, {}),
        "Muons/Muons.fP4.fPt": None,
        "Muons/Muons.fP4.fE": None,
        "Jet.Best": None,
        "vertexLink": AsGrouped(None, {}),
        "vertexLink/vertexLink": UnknownInterpretation("none of the rules matched", "a.root", "vertexLink"),
    }
)


@pytest.mark.parametrize("name", ["Muons.fP4.fPt", "Muons/Muons.fP4.fPt"])
def test_parts_of_split_objects(name):
    branch = located(TREE, [name, "Muons.fP4.fX"], "a.root")[name]
    assert branch.keys == ("Muons/Muons.fP4.fPt",)
    entries = ak.zip({"Muons.fP4.fPt": [[1.0], []]}, depth_limit=1)
    assert branch.values(entries, list(TREE)).tolist() == [[1.0], []]


def test_fields_of_objects():
    entries = ak.zip({"Jet.Best": ak.Array([[{"fP": {"fX": 1.0}, "fE": 2.0}], []])}, depth_limit=1)
    found = located(TREE, ["Jet.Best.fP.fX", "Jet.Best.fE", "Jet.Best"], "a.root")
    assert found["Jet.Best.fP.fX"].values(entries, list(TREE)).tolist() == [[1.0], []]
    assert found["Jet.Best.fE"].values(entries, list(TREE)).tolist() == [[2.0], []]
    with pytest.raises(InputError, match=r"a\.root: branch 'Jet\.Best\.fQ': there is no part 'fQ', but fP, fE"):
        located(TREE, ["Jet.Best.fQ"], "a.root")["Jet.Best.fQ"].values(entries, list(TREE))
    with pytest.raises(InputError, match=r"a\.root: branch 'Jet\.Best' holds objects; read one of their parts: fP, fE"):
        found["Jet.Best"].values(entries, list(TREE))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Muons", r"a\.root: branch 'Muons' is split .* read one of its parts: Muons\.fP4\.fPt, Muons\.fP4\.fE"),
        (
            "vertexLink",
            r"a\.root: branch 'vertexLink' holds Thing, which uproot cannot read: none of the rules matched",
        ),
    ],
)
def test_branches_without_numbers(name, message):
    with pytest.raises(InputError, match=message):
        located(TREE, [name], "a.root")


def test_other_branches_are_not_there():
    assert located(TREE, ["Muon", "Muons.fP4", "fPt"], "a.root") == {}
