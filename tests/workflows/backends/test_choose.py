"""The backend that a run gets: by name, or by the size of the data and what there is to hold it."""

from __future__ import annotations

import json
import shutil

import awkward as ak
import jax
import numpy as np
import pytest
import uproot

from hepgrad.workflows import InputError
from hepgrad.workflows.backends import Devices, InMemory, OutOfCore, choose, choose_backend, find_backend
from hepgrad.workflows.read.files.size import estimated_bytes


@pytest.fixture
def recipe(descending, tiny_events):
    return descending.recipe(tiny_events)


def test_small_data_stay_in_memory(recipe, tmp_path):
    assert choose_backend(recipe, tmp_path) == InMemory()


def test_large_data_go_to_disk(recipe, tmp_path, monkeypatch):
    """Three times their size has to fit."""
    size = estimated_bytes(recipe)
    monkeypatch.setattr(choose, "memory", lambda: 3.01 * size)
    assert choose_backend(recipe, tmp_path) == InMemory()
    monkeypatch.setattr(choose, "memory", lambda: 2.99 * size)
    assert choose_backend(recipe, tmp_path) == OutOfCore(tmp_path)


def test_several_devices_share_data_of_any_size(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(choose, "preferred_devices", lambda: 4 * jax.devices())
    monkeypatch.setattr(choose, "memory", lambda: 0.0)
    assert choose_backend(recipe, tmp_path) == Devices()


def test_memory_is_that_of_this_machine():
    """Between 256 MB and 100 TB."""
    assert 2**28 < choose.memory() < 1e14


def test_a_name_decides(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(choose, "memory", lambda: 0.0)
    found = {name: find_backend(name, recipe, tmp_path) for name in ("in-memory", "out-of-core", "devices", None)}
    assert found == {
        "in-memory": InMemory(),
        "out-of-core": OutOfCore(tmp_path),
        "devices": Devices(),
        None: OutOfCore(tmp_path),
    }


def test_unknown_name(recipe, tmp_path):
    with pytest.raises(InputError, match="no backend 'gpu'; there are in-memory, out-of-core, devices"):
        find_backend("gpu", recipe, tmp_path)


def true_bytes(tiny):
    """The numbers of all events, and an offset for each list."""
    samples = [tiny.draw(name) for name in tiny.EVENTS]
    return sum(4 * (ak.count(s["Jet_pt"]) + 3 * len(s["MET_pt"])) for s in samples)


def test_estimated_size(tiny, recipe):
    assert 0.5 < estimated_bytes(recipe) / true_bytes(tiny) < 2


def test_estimated_size_of_an_rntuple(tiny, tmp_path, descending):
    folder = tiny.write_events(tmp_path / "events")
    for name in tiny.EVENTS:
        with uproot.recreate(folder / f"{name}.root") as file:
            file.mkrntuple("Events", tiny.draw(name))
    assert 0.5 < estimated_bytes(descending.recipe(folder)) / true_bytes(tiny) < 2


def test_files_count_as_often_as_there_are(tiny, tmp_path, descending):
    """The others are taken to be like the first; one that cannot be read is left to the reader."""
    folder = tiny.write_events(tmp_path / "events")
    once = estimated_bytes(descending.recipe(folder))
    about = json.loads((folder / "fileset.json").read_text())
    for name, sample in about.items():
        for copy in ("b", "c"):
            shutil.copy(folder / f"{name}.root", folder / f"{name}_{copy}.root")
        sample["nominal"]["files"] += [f"{name}_{copy}.root" for copy in ("b", "c")]
    (folder / "fileset.json").write_text(json.dumps(about))
    assert estimated_bytes(descending.recipe(folder)) == 3 * once
    for name in tiny.EVENTS:
        (folder / f"{name}.root").write_bytes(np.arange(9).tobytes())
    assert estimated_bytes(descending.recipe(folder)) == 0
