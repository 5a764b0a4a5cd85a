"""Shards on disk: they are as they were written, and two at a time are enough."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from hepgrad.analysis import Hard
from hepgrad.analysis.data.pool import Pool
from hepgrad.analysis.optimisation.programs.of_shards import Count, Fill
from hepgrad.workflows import Cache, InputError, InputWarning
from hepgrad.workflows.backends import InMemory, OutOfCore
from hepgrad.workflows.cache import store
from hepgrad.workflows.cli.program import main
from hepgrad.workflows.read.collect import Collected
from hepgrad.workflows.read.packing.columns import Columns
from hepgrad.workflows.read.packing.packing import Strand


def columns(events, seed):
    rng = np.random.default_rng(seed)
    jets = rng.poisson(5.0, events)
    values = {
        ("Jet", "pt"): 20 + rng.exponential(50, int(jets.sum())).astype(np.float32),
        ("MET", "pt"): rng.exponential(30, events).astype(np.float32),
        # a column that no stage reads, as part of the data
        ("Jet", "eta"): rng.normal(size=int(jets.sum())).astype(np.float32),
    }
    return Columns(events, values, {"Jet": np.append(0, np.cumsum(jets))})


def collected(pieces, events=1000):
    """Return as many events as wanted: the pieces share their memory."""
    strands = [Strand(i, [columns(events, i)] * pieces, 0.1, None) for i in range(3)]
    places = [("Jet", "pt"), ("Jet", "eta"), ("MET", "pt")]
    return Collected((strands, strands), places, ["signal", "top", "multijet"], (None,))


def test_shards_hold_the_blocks(tmp_path):
    """Together they are the data set in memory, and each but the last is near its largest size."""
    events = collected(9)
    kept = store.stored(events, tmp_path, block_size=500, shard_bytes=200_000)
    whole = events.packed(500).train
    for half in (kept.half(0), kept.half(1)):
        parts = list(half)
        assert len(parts) > 5
        sizes = [path.stat().st_size for path in half.files]
        assert len(set(sizes)) == 1 and 100_000 < sizes[0] <= 200_000
        assert len({jax.tree.structure(part) for part in parts}) == 1
        assert half.about.processes == whole.processes
        np.testing.assert_array_equal(half.about.typical_weight, whole.typical_weight)
        # the number of blocks may be rounded up to fill all shards: the events are the same ones
        for pick in (lambda d: d.weight, lambda d: d.columns.Jet.pt.content):
            joined, expected = (
                np.sort(np.concatenate([np.asarray(pick(d)).ravel() for d in of])) for of in (parts, [whole])
            )
            assert joined[-500:].tolist() == expected[-500:].tolist()


def test_jax_uses_the_files_as_they_are(tmp_path):
    """No copy: the addresses are those of the map."""
    half = store.stored(collected(2), tmp_path, block_size=500).half(0)
    shard = half[0]
    pointers = sorted(leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(shard.columns))
    (mapping,) = [
        tuple(int(x, 16) for x in line.split()[0].split("-"))
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(str(half.files[0]))
    ]
    assert mapping[0] <= pointers[0] and pointers[-1] < mapping[1]


def test_made_once(tiny, tiny_events, tmp_path, descending, monkeypatch):
    """The next run finds them; other events, other shards."""
    recipe, backend = descending.recipe(tiny_events), OutOfCore(tmp_path)
    first = backend.load(recipe, block_size=64)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_write", None)
        again = backend.load(recipe, block_size=64)
        assert [a.files == b.files for a, b in zip((first.train.shards,), (again.train.shards,), strict=True)] == [True]
        with pytest.raises(TypeError):
            backend.load(recipe, block_size=128)


def test_damaged_and_interrupted(tiny_events, tmp_path, descending, monkeypatch, capsys):
    backend, recipe = OutOfCore(tmp_path), descending.recipe(tiny_events)
    shards = backend.load(recipe, block_size=64).train.shards
    cache = Cache(tmp_path)
    (kept,) = cache.stores()
    assert kept.events == 1601 and kept.faults() == []
    assert main(["cache", "list", str(tmp_path)]) == 0
    assert kept.folder.name[:8] in capsys.readouterr().out
    assert main(["cache", "verify", str(tmp_path)]) == 0
    # a changed byte is noticed by verify, a missing one at once
    data = bytearray(shards.files[0].read_bytes())
    data[100] ^= 1
    shards.files[0].write_bytes(data)
    assert main(["cache", "verify", str(tmp_path)]) == 1
    assert "does not hold what was written" in capsys.readouterr().out
    shards.files[0].write_bytes(data[:-1])
    with pytest.raises(InputError, match=r"train-00000.bin: expected \d+ bytes, it has \d+"):
        shards[0]
    manifest = kept.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"blocks": ', '"blocks": 1'))
    assert cache.incomplete() == [kept.folder]
    with pytest.warns(InputWarning, match="it is made again"):
        assert len(backend.load(recipe, block_size=64).train.shards) == len(shards)
    # an interruption leaves nothing that looks complete
    monkeypatch.setattr(store, "_write", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backend.load(recipe, block_size=32)
    assert len(cache.stores()) == 1 and cache.incomplete() == []
    assert cache.clear() == 5
    assert not list((tmp_path / "shards").iterdir())


@pytest.mark.thorough
def test_more_events_than_memory(tmp_path, tiny):
    """The system allows a tenth of the data beyond what the warm process has; the result is the same to the bit."""
    allowed = 24 * 2**20
    kept = store.stored(collected(360, 4000), tmp_path, block_size=2048, shard_bytes=4 * 2**20)
    assert sum(path.stat().st_size for path in kept.half(0).files) > 10 * allowed
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    found = []
    for limit in (0, allowed):
        command = [sys.executable, str(Path(__file__).with_name("limited.py")), str(kept.folder), str(limit)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    # the limit is a real one
    assert [refused for refused, _ in found] == [False, True]
    assert found[0][1] == found[1][1]


def test_streamed_results_equal_those_in_memory(tiny, tiny_events, tmp_path, descending):
    """The sums over shards are those over blocks, in every part of a result."""
    recipe = descending.recipe(tiny_events)
    here, there = (b.load(recipe, block_size=64) for b in (InMemory(), OutOfCore(tmp_path, 10_000)))
    one, other = Pool.of(here.held_out), there.held_out
    at, analysis = tiny.TINY.parameters, tiny.TINY.analysis
    for a, b in (
        (one.total(Fill(analysis), at, Hard()), other.total(Fill(analysis), at, Hard())),
        (one.total(Count(analysis), at, Hard()), other.total(Count(analysis), at, Hard())),
    ):
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6), a, b)
