"""All events in the memory of this process: the quickest, as long as they fit."""

from __future__ import annotations

import dataclasses

from hepgrad.analysis import Split

from ..read.collect import Recipe
from ..read.reader import Watcher


@dataclasses.dataclass(frozen=True)
class InMemory:
    """Keeps all events in memory; a step is one compiled program."""

    def load(self, recipe: Recipe, *, block_size: int | None = None, watch: Watcher | None = None) -> Split:
        """Read events into memory; the arguments are those of `Backend.load`."""
        return recipe.collect(watch).packed(block_size)
