"""Columns that point at objects: where they point when nothing is there, and what coffea calls such references."""

from __future__ import annotations

import re
from collections.abc import Sequence

NOWHERE = -1
# as NanoAOD names them: Muon_jetIdx, GenPart_genPartIdxMother, Jet_muonIdx1; and as flat trees do: jet_idx, trackIndex
_POSITIONS, _OF_ALL_EVENTS = re.compile(r"Idx|((^|_)(idx|index)|Index)\d*$"), "IdxG"

# the attributes of coffea's NanoEvents: the collection that is pointed into, and the columns with positions
_ATTRIBUTES = {
    "parent": ("GenPart", ("genPartIdxMother",)),
    "matched_gen": ("GenPart", ("genPartIdx", "genJetIdx", "genJetAK8Idx")),
    "matched_jet": ("Jet", ("jetIdx",)),
    "matched_electron": ("Electron", ("electronIdx",)),
    "matched_electrons": ("Electron", ("electronIdx1", "electronIdx2")),
    "matched_muon": ("Muon", ("muonIdx",)),
    "matched_muons": ("Muon", ("muonIdx1", "muonIdx2")),
    "matched_photon": ("Photon", ("photonIdx",)),
    "matched_fsrPhoton": ("FsrPhoton", ("fsrPhotonIdx",)),
    "subjets": ("SubJet", ("subJetIdx1", "subJetIdx2")),
}
_INTO = {"genJetIdx": "GenJet", "genJetAK8Idx": "GenJetAK8"}
# the parent that is another particle, and what points the other way
_PARENT = "events.GenPart.at(particles.genPartIdxMother)"
_OTHERS = {
    "distinctParent": f"as long as its pdgId is the particle's own, take the parent of the parent, {_PARENT}",
    **dict.fromkeys(
        ("children", "distinctChildren", "distinctChildrenDeep"),
        f"ask from the side of the children, whose parents are {_PARENT}",
    ),
}


def points(field: str) -> bool:
    """Return whether a field holds positions of objects, by its name: with ``Idx``, or ending as an index.

    Examples
    --------
    >>> from hepgrad.analysis.selection.cross_references import points
    >>> points("jetIdx"), points("genPartIdxMother"), points("jet_idx"), points("trackIndex"), points("pt")
    (True, True, True, True, False)
    """
    return _POSITIONS.search(field) is not None


def instead_of(name: str, fields: Sequence[str]) -> str:
    """Return in words what stands here for a cross-reference of coffea; nothing for other names.

    Arguments are the attribute that was asked for, and the fields of the collection.

    Examples
    --------
    >>> from hepgrad.analysis.selection.cross_references import instead_of
    >>> instead_of("matched_jet", ["pt", "jetIdx"])
    "; coffea's 'matched_jet' is events.Jet.at(these.jetIdx) here"
    >>> instead_of("ptt", ["pt"])
    ''
    """
    if name in _OTHERS:
        return f"; for coffea's {name!r}, {_OTHERS[name]}"
    if name.endswith(_OF_ALL_EVENTS):
        return f"; positions are counted in each event here: use {name.removesuffix('G')!r} with `at`"
    if name not in _ATTRIBUTES:
        return ""
    into, columns = _ATTRIBUTES[name]
    there = [column for column in columns if column in fields]
    found = " and ".join(f"events.{_INTO.get(each, into)}.at(these.{each})" for each in there or columns[:1])
    chained = f", and of that again events.{into}.at(...)" if name == "parent" else ""
    unread = "" if there else f", for which the stage has to read {columns[0]!r}, too"
    return f"; coffea's {name!r} is {found} here{chained}{unread}"
