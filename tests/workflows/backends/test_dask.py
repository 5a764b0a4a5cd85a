"""Dask: the same numbers from any workers, also when one dies in the middle of a step."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import jax
import pytest

from hepgrad.analysis import Soft
from hepgrad.analysis.optimisation.programs.of_shards import Fill, PullBack
from hepgrad.workflows import InputError
from hepgrad.workflows.backends import Dask, InMemory

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def client():
    """Two processes that can import the modules of the tests."""
    distributed = pytest.importorskip("distributed")
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(Path(__file__).parent)
    patch.syspath_prepend(Path(__file__).parent.parent)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
    patch.undo()


@pytest.fixture(scope="module")
def events(client, descending, precise_events, tmp_path_factory):
    """The events on the workers, in double precision."""
    backend = Dask(client, tmp_path_factory.mktemp("cache"), descending.SHARD_BYTES)
    with jax.enable_x64(True):
        return backend.load(descending.recipe(precise_events), block_size=descending.BLOCK)


@pytest.mark.thorough
@pytest.mark.parametrize(("x64", "tolerance"), [(False, 1e-5), (True, 1e-12)], ids=["float32", "float64"])
def test_same_parameters_as_in_memory(x64, tolerance, client, descending, precise_events, tmp_path):
    recipe, block = descending.recipe(precise_events), descending.BLOCK
    with jax.enable_x64(x64):
        here = InMemory().load(recipe, block_size=block).train
        there = Dask(client, tmp_path, descending.SHARD_BYTES).load(recipe, block_size=block).train
        assert len(there.groups) == 2
        assert len(there.shards) > 2
        assert descending.descend(there) == pytest.approx(descending.descend(here), rel=tolerance, abs=0)


@pytest.mark.thorough
def test_a_worker_is_killed_in_the_middle_of_a_step(events, descending, client, tiny, tmp_path):
    """A real SIGKILL while both workers compute a gradient: it is the same to the bit."""
    with jax.enable_x64(True):
        pool, at, reading = events.train, tiny.TINY.parameters, Soft()
        filled = pool.total(Fill(tiny.TINY.analysis), at, reading)
        expected = pool.total(PullBack(tiny.TINY.analysis), at, reading, filled)
        before = set(client.scheduler_info()["workers"])
        found = []

        def compute():
            with jax.enable_x64(True):
                found.append(pool.total(descending.Slow(PullBack(tiny.TINY.analysis), tmp_path), at, reading, filled))

        step = threading.Thread(target=compute)
        step.start()
        while len(started := list(tmp_path.iterdir())) < 2:
            assert step.is_alive()
            time.sleep(0.05)
        os.kill(int(started[0].name), signal.SIGKILL)
        step.join(120)
    assert not step.is_alive()
    # somebody else had to begin again
    assert len(list(tmp_path.iterdir())) >= 2
    assert {k: v.tolist() for k, v in found[0].items()} == {k: v.tolist() for k, v in expected.items()}
    assert set(client.scheduler_info()["workers"]) != before


def test_without_workers(descending, precise_events, tmp_path):
    class Nobody:
        def scheduler_info(self):
            return {"workers": {}}

    with pytest.raises(InputError, match="has no workers"):
        Dask(Nobody(), tmp_path).load(descending.recipe(precise_events))
