"""Sums over many events, blocks and shards have the highest precision that is enabled."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Dataset,
    Hard,
    Parameter,
    Parameters,
    Regular,
    Soft,
    stage,
)
from hepgrad.analysis.data.pool import Pool
from hepgrad.analysis.optimisation.programs.of_shards import Fill
from hepgrad.analysis.selection.cut import Reading

# float32 has no 2**24 + 1
LARGE = 2.0**24
CUTS = Parameters(met=Parameter(0.0, bounds=(-1.0, 200.0)))


@stage(reads=("met",))
def select(events, cut):
    return events.select(events.met > cut.met)


ANALYSIS = Analysis([select], [Channel("all", "met", Regular(1, 0, 1000))], CountingModel(["signal"], 0.1))


def _of(weights: np.ndarray) -> Dataset:
    """Return blocks of one event each."""
    shape = weights.shape
    columns = rg.RecordArray({"met": jnp.full(shape, 100.0, jnp.float32)})
    process = jnp.broadcast_to(jnp.arange(shape[1], dtype=jnp.int32), shape)
    return Dataset(
        columns, jnp.asarray(weights, jnp.float32), process, jnp.ones(2, jnp.float32), ("signal", "background")
    )


@pytest.mark.parametrize("reading", [Hard(), Soft(1e-3, 1e-3)], ids=["hard", "soft"])
def test_blocks_and_shards_add_up(reading: Reading) -> None:
    weights = np.array([[LARGE, 1.0], [1.0, 1.0]])
    with jax.enable_x64(True):
        whole = Fill(ANALYSIS)(_of(weights), jnp.int32(0), CUTS, reading)
        shards = Pool.of([_of(weights[:1]), _of(weights[1:])]).total(Fill(ANALYSIS), CUTS, reading)
    for filled in (whole, shards):
        sums = np.asarray(filled["all"].sumw)
        assert sums.dtype == np.float64
        np.testing.assert_array_equal(sums.sum(axis=-1), weights.sum(axis=0))


def test_readings_share_what_is_compiled_for_their_histograms() -> None:
    with jax.enable_x64(True):
        pool = Pool.of(_of(np.ones((1, 2))))
        hard, soft = (pool.total(Fill(ANALYSIS), CUTS, reading) for reading in (Hard(), Soft(1.0, 1.0)))
    assert jax.typeof(hard.counts.sumw) == jax.typeof(soft.counts.sumw)
