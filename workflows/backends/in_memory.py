"""All events in the memory of this process: the quickest, as long as they fit."""

from __future__ import annotations

import dataclasses

from hepgrad.analysis import Folds, Split

from ..read.collect import EVENT, Recipe, SampleCache
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

    def load_folds(
        self, recipe: Recipe, k: int, *, block_size: int | None = None, watch: ReadWatcher | None = None
    ) -> Folds:
        """Read events into memory, in folds by their numbers.

        Parameters
        ----------
        recipe, block_size, watch
            As for `Backend.load`.
        k
            How many folds.

        Raises
        ------
        InputError
            When the events have no numbers, or cannot be divided into so many folds.
        """
        request = dataclasses.replace(recipe.request, columns=(*recipe.request.columns, EVENT))
        read = dataclasses.replace(recipe, request=request, cache=self.reader or recipe.cache).collect_whole(watch)
        places = [place for place in read.places if place != (EVENT, "") or EVENT in recipe.request.columns]
        return dataclasses.replace(read, places=places).folded(k, block_size)
