"""Workspaces with faults: one line that says where, as a JSON path, and never a traceback of something else."""

from __future__ import annotations

import copy
import random

import pytest

from hepgrad.analysis.statistics.histfactory import PatchSet, from_workspace
from hepgrad.analysis.statistics.histfactory.specification import check_observations, check_workspace

# what stands in the place of a value
REPLACEMENTS = [None, "text", 3, -2.5, float("nan"), True, [], {}, [None], ["text"], {"name": 1}, [[1.0]]]


def places(value, path=()):
    """Yield the place of every value of a document, as keys and indices."""
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from places(entry, (*path, key))


def mutations(document):
    """Yield (description, mutated document) for removals, replacements and new keys everywhere."""
    for path in places(document):
        for change in ["remove", "rename", *range(len(REPLACEMENTS))]:
            mutated = copy.deepcopy(document)
            parent = mutated
            for key in path[:-1]:
                parent = parent[key]
            if change == "remove":
                del parent[path[-1]]
            elif change == "rename":
                if isinstance(parent, list):
                    continue
                parent[f"{path[-1]}x"] = parent.pop(path[-1])
            else:
                parent[path[-1]] = copy.deepcopy(REPLACEMENTS[change])
            told = change if isinstance(change, str) else repr(REPLACEMENTS[change])
            yield f"{path}: {told}", mutated


def fault_of(function, document):
    """Return the message about a document, or None; any error but a ValueError of one line fails the test."""
    try:
        function(document)
    except ValueError as error:
        return str(error)
    return None


def test_every_mutation_of_the_structure_is_told_with_its_path(workspace):
    """All of them: wrong keys and types are found without building the model, which is what takes time."""
    told, passed = [], []
    for what, mutated in mutations(workspace):
        message = fault_of(lambda w: (check_workspace(w), check_observations(w)), mutated)
        (passed if message is None else told).append((what, message))
    for what, message in told:
        assert "\n" not in message, what
        assert "$" in message or "a workspace needs" in message, (what, message)
    assert len(told) > 1500
    # what passes is another valid workspace: a number, a name, or without an entry that need not be there
    for what, _ in passed:
        change = what.rpartition(": ")[2]
        assert change in {"3", "-2.5", "'text'", "remove", "[]", "None"} or "fixed" in what, what


def check_mutations(documents):
    for what, mutated in documents:
        message = fault_of(from_workspace, mutated)
        assert message is None or "\n" not in message, (what, message)


def test_a_sample_of_mutations_is_loaded_or_refused(x64, workspace):
    check_mutations(random.Random(0).sample(list(mutations(workspace)), 150))


@pytest.mark.slow
def test_all_mutations_are_loaded_or_refused(x64, workspace):
    check_mutations(mutations(workspace))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("channels",), {}, r"^\$\.channels must be a list, got an object"),
        (
            ("channels", 0, "samples", 0, "data", 1),
            "7",
            r"^\$\.channels\[0\]\.samples\[0\]\.data\[1\] must be a finite",
        ),
        # a number in JSON, and none that can be computed with
        (
            ("channels", 0, "samples", 0, "data", 1),
            10**400,
            r"samples\[0\]\.data\[1\] must be a finite number, got 1000",
        ),
        (("channels", 0, "samples", 0, "modifiers", 2, "data"), None, r"\.modifiers\[2\]\.data must be an object with"),
        (
            ("channels", 0, "samples", 1, "data"),
            [1.0],
            r"samples\[1\]\.data has 1 bins, but \$.*samples\[0\]\.data has 3",
        ),
        (
            ("channels", 0, "samples", 1, "modifiers", 3, "data"),
            [1.0],
            r"modifiers\[3\]\.data has 1 bins, but its sample",
        ),
        (("channels", 0, "smaples"), [], r"^\$\.channels\[0\] has the unknown key 'smaples'; did you mean 'samples'"),
        (("channels", 1, "name"), "SR", r"^\$\.channels\[1\] and \$\.channels\[0\] have the same name, 'SR'"),
        (("observations", 1, "name"), "VR", r"^\$\.observations has none of the channel 'CR'; it has \['SR', 'VR'\]"),
        (("observations", 1, "data"), [1.0], r"^\$\.observations\[1\]\.data has 1 bins, but \$\.channels\[1\]"),
        (("observations", 1, "data", 0), -1.0, r"^\$\.observations\[1\]\.data\[0\] must not be negative"),
        (("measurements", 0, "config", "poi"), "nu", r"^\$\.measurements\[0\]\.config\.poi: .* 'nu' is none of"),
        (
            ("measurements", 0, "config", "parameters", 1, "bounds"),
            [[3.0, 1.0]],
            r"^\$\.measurements\[0\]\.config\.parameters\[1\]: bounds of the parameter 'mu' must increase",
        ),
        (("version",), "2.0.0", r"^\$\.version must be the version"),
    ],
)
def test_faults_are_told_with_their_path(workspace, path, value, message):
    parent = workspace
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    with pytest.raises(ValueError, match=message):
        from_workspace(workspace)


def test_what_is_no_object_is_no_workspace():
    for document in (None, [], "text", 3):
        with pytest.raises(ValueError, match="a workspace must be an object with 'channels', got"):
            from_workspace(document)


def test_mutations_of_patch_sets_are_refused():
    document = {
        "metadata": {"labels": ["x"], "digests": {"md5": "0" * 32}, "description": "", "references": {}},
        "patches": [{"metadata": {"name": "a", "values": [1]}, "patch": [{"op": "remove", "path": "/x"}]}],
        "version": "1.0.0",
    }
    for what, mutated in mutations(document):
        message = fault_of(PatchSet.of, mutated)
        assert message is None or message.startswith("$"), (what, message)
    for changes, message in (
        ({"version": "3.0.0"}, r"\$.version must be the version of the specification, 1.0.0"),
        ({"metadata": {**document["metadata"], "digests": {}}}, "must say which workspace the patches are for"),
        ({"metadata": {**document["metadata"], "digests": {"shake_128": "0"}}}, "the unknown algorithm 'shake_128'"),
    ):
        with pytest.raises(ValueError, match=message):
            PatchSet.of({**document, **changes})
