"""Workspaces changed as pyhf changes them: equal JSON, and refusals where pyhf refuses."""

from __future__ import annotations

import copy
import itertools

import pyhf
import pytest

from hepgrad.analysis.statistics.exchange import combine, prune, rename, sort
from hepgrad.analysis.statistics.histfactory import PatchSet, digest, from_workspace, patched

# pyhf asks jsonschema in a way that it deprecates
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


@pytest.mark.parametrize(
    "asked",
    [
        {"modifiers": ["xsec", "jes"]},
        {"modifier_types": ["staterror", "normsys"]},
        {"samples": ["signal"]},
        {"channels": ["CR"], "measurements": ["background"]},
        {"modifiers": ["mu"], "channels": ["CR"]},
    ],
)
def test_prune(search, asked):
    before = copy.deepcopy(search)
    assert prune(search, **asked) == dict(pyhf.Workspace(search).prune(**asked))
    assert search == before


@pytest.mark.parametrize(
    "asked",
    [
        {"modifiers": {"mu": "r", "xsec": "theory"}},
        {"samples": {"background": "ttbar"}, "measurements": {"search": "m"}},
        {"channels": {"SR": "signal region"}},
    ],
)
def test_rename(search, asked):
    assert rename(search, **asked) == dict(pyhf.Workspace(search).rename(**asked))


@pytest.mark.parametrize("kind", ["modifiers", "samples", "channels", "measurements"])
def test_unknown_names_are_refused(search, kind):
    with pytest.raises(ValueError, match=f"the workspace has no {kind[:-1]} 'nothing'; it has"):
        prune(search, **{kind: ["nothing"]})
    with pytest.raises(ValueError, match=f"the workspace has no {kind[:-1]} 'nothing'; it has"):
        rename(search, **{kind: {"nothing": "x"}})
    with pytest.raises(ValueError, match="what would be left is no workspace"):
        prune(search, samples=["signal", "background"])


def others(search):
    """Yield workspaces with more and more in common with the first."""
    yield rename(search, channels={"SR": "SR2", "CR": "CR2"}, measurements={"search": "other", "background": "b"})
    yield rename(search, channels={"SR": "SR2", "CR": "CR2"})
    yield rename(search, channels={"SR": "SR2"})
    changed = copy.deepcopy(search)
    changed["channels"][1]["samples"][0]["data"] = [90.0]
    changed["measurements"][0]["config"]["parameters"] = [{"name": "lumi", "fixed": True}]
    yield changed
    changed = copy.deepcopy(changed)
    changed["channels"][0]["samples"][0]["name"] = "another signal"
    changed["measurements"][0]["config"]["poi"] = "k"
    yield changed


@pytest.mark.thorough
def test_combine(search):
    outcomes = set()
    for other, join, merge in itertools.product(
        others(search), ["none", "outer", "left outer", "right outer", "inner"], [False, True]
    ):
        try:
            expected = dict(
                pyhf.Workspace.combine(pyhf.Workspace(search), pyhf.Workspace(other), join, merge_channels=merge)
            )
        except (ValueError, pyhf.exceptions.InvalidWorkspaceOperation):
            expected = None
        if expected is None:
            with pytest.raises(ValueError):
                combine(search, other, join=join, merge_channels=merge)
        else:
            assert combine(search, other, join=join, merge_channels=merge) == expected
        outcomes.add(expected is None)
    assert outcomes == {True, False}


def test_sort_and_digest(search):
    assert sort(search) == dict(pyhf.Workspace.sorted(pyhf.Workspace(search)))
    for algorithm in ("sha256", "md5"):
        assert digest(search, algorithm) == pyhf.utils.digest(search, algorithm=algorithm)
    with pytest.raises(ValueError, match="only what JSON can hold"):
        digest({"x": {1}})


@pytest.fixture
def signals(search):
    """The background of the search, and a patch set with two signals."""
    background = prune(search, samples=["signal"], measurements=["background"], modifiers=["k"])

    def patch(scale):
        signal = copy.deepcopy(search["channels"][0]["samples"][0])
        signal["data"] = [scale * x for x in signal["data"]]
        return [{"op": "add", "path": "/channels/0/samples/0", "value": signal}]

    entries = [
        {"metadata": {"name": f"m{mass}", "values": [mass, 100]}, "patch": patch(1000 / mass)} for mass in (500, 1000)
    ]
    metadata = {
        "labels": ["heavy", "light"],
        "digests": {"sha256": pyhf.utils.digest(background)},
        "description": "two signals",
        "references": {"hepdata": "ins1234567"},
    }
    return background, {"metadata": metadata, "patches": entries, "version": "1.0.0"}


def test_patch_set(x64, signals):
    background, document = signals
    theirs, ours = pyhf.PatchSet(document), PatchSet.of(document)
    assert [patch.name for patch in ours] == [patch.name for patch in theirs]
    for key in ("m500", (1000, 100), [500, 100]):
        expected = dict(theirs.apply(background, key))
        assert ours.apply(background, key) == expected
        model, data = from_workspace(background, patch=ours[key])
        reference = pyhf.Workspace(expected).model()
        parameters = model.initial.at[model.index("mu")].set(1.3)
        value = reference.logpdf(parameters.tolist(), pyhf.Workspace(expected).data(reference))[0]
        assert float(model.logpdf(parameters, data)) == pytest.approx(float(value), rel=1e-12)
    with pytest.raises(KeyError, match="the patch set has no patch 'm700'; it has m500, m1000"):
        ours["m700"]
    background["observations"][0]["data"][0] += 1
    with pytest.raises(ValueError, match="the patch set is made for another workspace: its sha256 digest is"):
        ours.apply(background, "m500")


def test_faulty_patches(search):
    for operations, message in (
        ([{"op": "remove", "path": "/channels/7"}], r"operation 0 of the patch, .*'/channels/7'.*, cannot be done"),
        ([{"op": "replace", "path": "/version"}], "operation 0 of the patch"),
        (
            [{"op": "test", "path": "/version", "value": "1.0.0"}, {"op": "jump", "path": ""}],
            "operation 1 of the patch",
        ),
        (["remove"], "operation 0 of the patch"),
        ({"op": "remove"}, "a JSON patch is a list of operations, got dict"),
        ([{"op": "replace", "path": "", "value": []}], "the patch leaves no workspace"),
    ):
        with pytest.raises(ValueError, match=message):
            patched(search, operations)
