"""From a fileset to two halves: weights mean what they should, and the halves are disjoint and complete."""

from __future__ import annotations

import dataclasses
import json

import jax
import numpy as np
import pytest

from hepgrad.workflows import Cache, Fileset, InputError, Process, load
from hepgrad.workflows.read import Ingredient
from hepgrad.workflows.read.collect import Recipe
from hepgrad.workflows.read.reader import Request

LUMINOSITY = 1000.0


@pytest.fixture
def folder(tiny, tmp_path):
    return tiny.write_events(tmp_path / "events")


def load_tiny(tiny, folder, **changes):
    arguments = {"luminosity": LUMINOSITY, "block_size": 512, **changes}
    return load(Fileset.load(folder), tiny.TINY.processes, tiny.TINY.analysis.reads, **arguments)


def yields(data):
    weight, process = np.asarray(data.events.weight, float).ravel(), np.asarray(data.process).ravel()
    return {name: weight[process == i].sum() for i, name in enumerate(data.processes)}


def test_both_halves_stand_for_the_whole_luminosity(tiny, folder):
    split = load_tiny(tiny, folder)
    # a fifth of the generated weight was lost before the file was written, see tiny.write_events
    expected = {
        "signal": 0.8 * 0.1 * LUMINOSITY,
        "top": 0.8 * 1.5 * LUMINOSITY,
        "multijet": 0.8 * (3.0 + 0.5) * LUMINOSITY,
    }
    one, other = yields(split.train), yields(split.held_out)
    assert list(one) == ["signal", "top", "multijet"]
    for name, total in expected.items():
        assert (one[name] + other[name]) / 2 == pytest.approx(total, rel=2e-3)  # 301 events: halves of 151 and 150
        assert one[name] == pytest.approx(total, rel=0.05)


def test_halves_are_the_even_and_the_odd_events(tiny, folder):
    split = load_tiny(tiny, folder)
    met = tiny.draw("signal")["MET_pt"]
    for remainder, data in enumerate((split.train, split.held_out)):
        process = np.asarray(data.process).ravel()
        np.testing.assert_array_equal(np.asarray(data.events.MET.pt).ravel()[process == 0], met[remainder::2])


def test_weights_of_single_events(tiny, folder):
    data = load_tiny(tiny, folder, block_size=4096).train
    branches = tiny.draw("multijet_high")
    generated = 1.25 * branches["genWeight"].sum(dtype=float)
    expected = branches["genWeight"][::2] * (0.5 * LUMINOSITY / generated) * (301 / 151)
    weight, process = np.asarray(data.events.weight).ravel(), np.asarray(data.process).ravel()
    np.testing.assert_allclose(weight[process == 2][150:], expected, rtol=1e-6)


def test_events_stay_in_single_precision(tiny, folder, x64):
    data = load_tiny(tiny, folder).train
    assert {leaf.dtype for leaf in jax.tree.leaves(data.events) if leaf.dtype.kind == "f"} == {np.dtype("float32")}


def test_weight_branch_is_not_a_column_unless_it_is_read(tiny, folder):
    fileset = Fileset.load(folder)
    columns = [
        set(load(fileset, tiny.TINY.processes, reads, luminosity=1.0).train.events.columns)
        for reads in (["MET_pt"], ["MET_pt", "genWeight"])
    ]
    assert columns == [{"MET"}, {"MET", "genWeight"}]


def quiet(events):
    return events.MET.pt < 40


def busy(events):
    return events.MET.pt >= 40


@pytest.mark.parametrize("cached", [False, True])
def test_parts_of_samples(tiny, folder, tmp_path, cached):
    """A sample in two parts, from one of which some of another sample is subtracted."""
    fileset = Fileset.load(folder)

    def part(name, keep, factor):
        return Ingredient(dataclasses.replace(fileset[name], keep=(keep,), reads=("MET_pt",)), factor)

    ingredients = {"quiet": [part("top", quiet, 2.0)], "busy": [part("top", busy, 3.0), part("signal", busy, -0.5)]}
    recipe = Recipe(ingredients, Request(("Jet_pt",)), cache=Cache(tmp_path / "cache") if cached else None)
    split = [recipe.collect().packed(512) for _ in range(2)][-1]
    branches = {name: tiny.draw(name) for name in ("top", "signal")}
    for half, data in enumerate((split.train, split.held_out)):
        assert set(data.events.columns) == {"Jet"}
        found = yields(data)
        for process, parts in (("quiet", {"top": 2.0}), ("busy", {"top": 3.0, "signal": -0.5})):
            expected = 0.0
            for name, factor in parts.items():
                met, weight = branches[name]["MET_pt"][half::2], branches[name]["genWeight"][half::2].astype(float)
                kept = met < 40 if process == "quiet" else met >= 40
                expected += factor * weight[kept].sum() * len(branches[name]["MET_pt"]) / len(met)
            assert found[process] == pytest.approx(expected, rel=1e-6)
            assert expected != 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(tiny, folder, value):
    branches = tiny.draw("multijet_high")
    branches["genWeight"][[3, 7, 8]] = value
    tiny.write_tree(folder / "multijet_high.root", branches)
    message = r"sample 'multijet_high': 3 of 301 values of genWeight are NaN or infinite in .*multijet_high\.root"
    with pytest.raises(InputError, match=message):
        load_tiny(tiny, folder)


def test_process_without_cross_section(tiny, folder):
    fileset = json.loads((folder / "fileset.json").read_text())
    del fileset["top"]["nominal"]["xsec_pb"]
    (folder / "fileset.json").write_text(json.dumps(fileset))
    with pytest.raises(InputError, match=r"sample 'top' has no xsec_pb in .*fileset\.json; add a cross-section in pb"):
        load_tiny(tiny, folder)


def test_sample_that_cannot_be_split(tiny, folder):
    tiny.write_tree(folder / "top.root", {name: values[:1] for name, values in tiny.draw("top").items()})
    with pytest.raises(InputError, match="sample 'top' has one event, at least two are needed"):
        load_tiny(tiny, folder)


def test_luminosity_must_be_positive(tiny, folder):
    with pytest.raises(InputError, match="the luminosity must be positive, got 0 /pb"):
        load_tiny(tiny, folder, luminosity=0)


def test_processes_that_share_a_fileset(tiny, folder):
    """The same sample may serve two processes, for instance to compare them."""
    processes = [Process("a", datasets=("top",)), Process("b", datasets=("top", "signal"))]
    data = load(Fileset.load(folder), processes, ["MET_pt"], luminosity=1.0).train
    counts = np.bincount(np.asarray(data.process).ravel(), minlength=3)
    assert counts.tolist()[:2] == [300, 500]
