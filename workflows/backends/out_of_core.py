"""Events on disk, of which two shards at a time are in memory: for data larger than that."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hepgrad.analysis import Split
from hepgrad.analysis.data.pool import LocalPool

from ..cache import Cache
from ..cache.store import SHARD_BYTES, stored
from ..read.collect import Recipe
from ..read.reader import ReadWatcher


@dataclasses.dataclass(frozen=True)
class OutOfCore:
    """Keeps events in files, and streams them through memory in every step.

    What is read goes to the cache, and from there, in blocks, into shards beside it, which the next run with the same
    events finds. The result is that of `InMemory`.

    Attributes
    ----------
    folder
        Of the cache.
    shard_bytes
        How large a shard is, at most; two are in memory at a time.
    """

    folder: Path
    shard_bytes: int = SHARD_BYTES

    def load(self, recipe: Recipe, *, block_size: int | None = None, watch: ReadWatcher | None = None) -> Split:
        """Read events into shards; the arguments are those of `Backend.load`."""
        recipe = dataclasses.replace(recipe, cache=recipe.cache or Cache(self.folder))
        shards = stored(recipe.collect(watch), self.folder, block_size=block_size, shard_bytes=self.shard_bytes)
        train, held_out = shards.half(0), shards.half(1)
        return Split(LocalPool(train, train.about), LocalPool(held_out, held_out.about))
