"""Data sets of similar, not equal, size share compiled programs, and what fills them up counts for nothing."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis import Dataset
from hepgrad.analysis.data.pool import Pool


class Sums:
    """Sums over events and over objects of a shard, and how often that was traced, and thus compiled."""

    def __init__(self):
        self.traced = 0

    def __call__(self, shard, first):
        self.traced += 1
        events = shard.events
        ht = jax.vmap(lambda e: e.Jet.sum("pt"))(events)
        return {
            "events": shard.weight.sum(),
            "ht": jnp.sum(shard.weight * ht),
            "met": jnp.sum(shard.weight * events.met),
        }


def drawn(number, seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(2.5, number)
    jets = ak.zip({"pt": ak.unflatten(rng.exponential(50.0, counts.sum()).astype(np.float32), counts)})
    return ak.zip({"Jet": jets, "met": rng.exponential(30.0, number).astype(np.float32)}, depth_limit=1)


@pytest.mark.thorough
@pytest.mark.parametrize("mean", [3000, 9000])
def test_shards_from_many_files_need_few_compilations(mean):
    sizes = np.random.default_rng(1).uniform(0.8 * mean, 1.2 * mean, 12).astype(int)
    assert len(set(sizes)) == 12
    samples = [drawn(n, seed) for seed, n in enumerate(sizes)]
    weights = [np.random.default_rng(100 + n).uniform(0.5, 1.5, n).astype(np.float32) for n in sizes]
    shards = [Dataset.from_awkward({"top": s}, {"top": w}) for s, w in zip(samples, weights, strict=True)]
    program = Sums()
    found = Pool.of(shards).total(program)
    assert 1 < program.traced <= 4
    w, whole = np.concatenate(weights).astype(float), ak.concatenate(samples)
    expected = {
        "events": w.sum(),
        "ht": w @ ak.to_numpy(ak.sum(whole.Jet.pt, axis=1)),
        "met": w @ ak.to_numpy(whole.met),
    }
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected, rel=1e-5)
    assert all(s.process.shape[1] <= 1.25 * n for s, n in zip(shards, sizes, strict=True))


def test_what_fills_up_a_block():
    """Copies of real events, in turn, of no process and without weight; a block size that is asked for is kept."""
    data = Dataset.from_awkward({"a": drawn(9, 0)}, {"a": np.ones(9)})
    assert data.process.tolist() == [[0] * 9 + [1]]
    assert data.weight.tolist() == [[1.0] * 9 + [0.0]]
    assert data.columns.met[0, 9] == data.columns.met[0, 0]
    asked = [Dataset.from_awkward({"a": drawn(9, 0)}, {"a": np.ones(9)}, block_size=n) for n in (9, 4)]
    assert [data.process.shape for data in asked] == [(1, 9), (3, 4)]
