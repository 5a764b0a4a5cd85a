"""All events in the memory of this process: the quickest, as long as they fit."""

from __future__ import annotations

import dataclasses

from hepgrad.analysis import Split

from ..read.collect import Recipe, SampleCache
from ..read.reader import ReadWatcher


@dataclasses.dataclass(frozen=True)
class InMemory:
    """Keeps all events in memory; a step is one compiled program.

    Attributes
    ----------
    reader
        What reads the samples, such as `hepgrad.workflows.read.CoffeaReader`; by default the recipe's own cache or the
        files themselves.
    """

    reader: SampleCache | None = None

    def load(self, recipe: Recipe, *, block_size: int | None = None, watch: ReadWatcher | None = None) -> Split:
        """Read events into memory; the arguments are those of `Backend.load`."""
        recipe = dataclasses.replace(recipe, cache=self.reader or recipe.cache)
        return recipe.collect(watch).packed(block_size)
