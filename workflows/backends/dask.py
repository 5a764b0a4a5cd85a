"""Events over the workers of a Dask cluster: it reads, packs, and sums histograms where the shards are."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.analysis import Dataset, Split
from hepgrad.analysis.data.pool import Pool, Program, add_up, sum_over

from ..cache import Cache
from ..cache.store import SHARD_BYTES, Store, StoredShards, stored
from ..errors import InputError
from ..read.collect import Recipe
from ..read.reader import ReadWatcher
from ..read.sample import Sample

if TYPE_CHECKING:
    from distributed import Client


@dataclasses.dataclass(frozen=True)
class Dask:
    """Gives every worker of a cluster some of the shards; a gradient is two rounds of one task for each.

    Tasks are plain functions of file names and numbers: when a worker dies, the scheduler gives its tasks to another,
    and the sums are the same to the bit, since the shards that a task adds up do not depend on who does it.

    Attributes
    ----------
    client
        Connected to a cluster of any kind, such as ``distributed.LocalCluster`` or one of dask-jobqueue.
    folder
        Of the cache, on a file system that the client and all workers see.
    shard_bytes
        How large a shard is, at most.
    """

    client: Client
    folder: Path
    shard_bytes: int = SHARD_BYTES

    def load(self, recipe: Recipe, *, block_size: int | None = None, watch: ReadWatcher | None = None) -> Split:
        """Let the workers read samples into the cache, and one of them pack shards; as for `Backend.load`.

        Raises
        ------
        InputError
            When the cluster has no workers; as from `hepgrad.workflows.load`.
        """
        import cloudpickle

        # a worker has a working directory of its own
        folder = self.folder.resolve()
        recipe = dataclasses.replace(recipe, cache=Cache(folder))
        workers = sorted(self.client.scheduler_info()["workers"])
        if not workers:
            raise InputError("the Dask cluster has no workers; wait for them, or scale it up")
        asked = cloudpickle.dumps(recipe)
        precise = _precise()
        # the names of the tasks differ from those of other runs, whose results may still be on the cluster
        samples = [self.client.submit(_read, asked, s, pure=False) for s in recipe.samples()]
        self.client.gather(samples)
        packed = self.client.submit(_pack, asked, folder, block_size, self.shard_bytes, precise, pure=False)
        store = Store.open(packed.result())
        return Split(*(DaskPool.of_shards(store.half(number), self.client, len(workers)) for number in (0, 1)))


@dataclasses.dataclass(frozen=True, eq=False)
class DaskPool(Pool):
    """Stored shards in groups, each of which is one task."""

    groups: Sequence[StoredShards]
    shards: Iterable[Dataset]
    about: Dataset
    client: Client

    @classmethod
    def of_shards(cls, shards: StoredShards, client: Client, workers: int) -> DaskPool:
        """Return a pool with one group for each worker.

        Shards are on a file system that all workers see. ``workers`` is how many there are now; more may come, and some
        may go.
        """
        borders = [len(shards) * i // workers for i in range(workers + 1)]
        groups = [shards[i:j] for i, j in itertools.pairwise(borders) if i < j]
        return cls(groups, shards, shards.about, client)

    def total(self, program: Program, *arguments: Any) -> Any:
        """Return the sum of a function over the shards of all workers."""
        import cloudpickle

        sent = cloudpickle.dumps(program), pickle.dumps(jax.tree.map(np.asarray, arguments))
        precise = _precise()
        first, tasks = 0, []
        workers = sorted(self.client.scheduler_info()["workers"])
        for number, group in enumerate(self.groups):
            # the same worker gets the same shards, as long as it lives: it has them in its memory
            place = [workers[number % len(workers)]] if workers else None
            tasks.append(
                self.client.submit(
                    _sum, group, first, *sent, precise, workers=place, allow_other_workers=True, pure=False
                )
            )
            first += group.blocks * len(group)
        return add_up(self.client.gather(tasks))


def _precise() -> bool:
    """Return whether double precision is enabled here, and has to be in the tasks."""
    return bool(jnp.result_type(float) == jnp.float64)


def _read(recipe: bytes, sample: Sample) -> None:
    unpickled(recipe).read(sample)


def _pack(recipe: bytes, folder: Path, block_size: int | None, shard_bytes: int, precise: bool) -> Path:
    with jax.enable_x64(precise):
        collected = unpickled(recipe).collect()
        return stored(collected, folder, block_size=block_size, shard_bytes=shard_bytes).folder


def _sum(shards: StoredShards, first: int, program: bytes, arguments: bytes, precise: bool) -> Any:
    with jax.enable_x64(precise):
        summed = sum_over(shards, unpickled(program), *pickle.loads(arguments), first=first)
        return jax.tree.map(np.asarray, summed)


@functools.lru_cache(maxsize=64)
def unpickled(sent: bytes) -> Any:
    """Return an object that was sent; the same bytes give the same object, so that nothing is compiled twice."""
    return pickle.loads(sent)
