"""Positions that are followed more than once, and the words for those who know coffea's names."""

from __future__ import annotations

import awkward as ak
import pytest

import hepgrad.ragged as rg
from hepgrad.analysis import Objects
from hepgrad.workflows import read_events
from hepgrad.workflows.export.runtime import objects as exported

# a particle of every event is its own first: mothers come earlier, and the first has none
TREE = ak.Array([[-1, 0, 0, 1, 3], [], [-1], [-1, -1, 1]])


def plain(mothers, steps):
    """The position of the ancestor, walked one by one."""

    def walk(row, at):
        for _ in range(steps):
            at = row[at] if at >= 0 else -1
        return at

    return [[walk(row, at) for at in range(len(row))] for row in mothers.tolist()]


@pytest.mark.parametrize("name", ["genPartIdxMother", "mother_idx", "mother_index1", "motherIndex"])
@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_ancestors_of_ancestors(steps, name):
    """A particle without a mother has no grandmother either: -1 is no position, and 0 would be the first particle."""
    events = ak.zip({name: TREE, "number": ak.local_index(TREE), "x": TREE * 0.5})
    for particles in (Objects.of(rg.from_awkward(events)), exported.Objects(events)):
        found = particles
        for _ in range(steps):
            found = particles.at(getattr(found, name), fill_value=-5)
        numbers = found.number.tolist() if isinstance(found, exported.Objects) else rg.to_list(found.number)
        passed = found.passed.tolist() if isinstance(found, exported.Objects) else rg.to_list(found.probability)
        wanted = plain(TREE, steps)
        assert numbers == [[at if at >= 0 else -5 for at in row] for row in wanted]
        assert passed == [[at >= 0 for at in row] for row in wanted]


def test_grandmothers_in_a_file(shared_data):
    path = shared_data / "coffea" / "nano_dy.root"
    events = read_events(path, ["GenPart_pdgId", "GenPart_genPartIdxMother"]).GenPart
    particles = Objects.of(rg.from_awkward(events))
    found = particles.at(particles.at(particles.genPartIdxMother).genPartIdxMother)
    ids = [
        [row[at] if at >= 0 else 0 for at in ancestors]
        for row, ancestors in zip(events.pdgId.tolist(), plain(events.genPartIdxMother, 2), strict=True)
    ]
    assert rg.to_list(found.pdgId) == ids


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("parent", r"events\.GenPart\.at\(these\.genPartIdxMother\) here, and of that again events\.GenPart\.at"),
        ("distinctParent", r"as long as its pdgId is the particle's own, take the parent of the parent"),
        ("children", r"ask from the side of the children"),
        ("matched_jet", r"events\.Jet\.at\(these\.jetIdx\) here$"),
        ("matched_gen", r"events\.GenPart\.at\(these\.genPartIdx\) here, for which the stage has to read 'genPartIdx'"),
        ("matched_muons", r"events\.Muon\.at\(these\.muonIdx1\) and events\.Muon\.at\(these\.muonIdx2\) here$"),
        ("jetIdxG", r"use 'jetIdx' with `at`"),
        ("jetIdy", r"did you mean 'jetIdx'"),
    ],
)
def test_names_of_coffea_say_what_to_write(name, told):
    fields = {"genPartIdxMother": TREE, "jetIdx": TREE, "muonIdx1": TREE, "muonIdx2": TREE}
    with pytest.raises(AttributeError, match=told):
        getattr(Objects.of(rg.from_awkward(ak.zip(fields))), name)
