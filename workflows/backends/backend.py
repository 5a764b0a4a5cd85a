"""What a backend is: it decides where the events of an analysis are, and how sums over them are made."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from hepgrad.analysis import Split

from ..read.collect import Recipe
from ..read.reader import ReadWatcher


@runtime_checkable
class Backend(Protocol):
    """Reads events and leaves them where they are to be computed with.

    The parts of the `Split` are data sets of this process or pools (`hepgrad.analysis.data.pool.Pool`), whose
    `total` sums a function over shards anywhere. Everything else about an analysis is the same for all backends.
    """

    def load(self, recipe: Recipe, *, block_size: int | None = None, watch: ReadWatcher | None = None) -> Split:
        """Read events.

        Parameters
        ----------
        recipe
            What is read.
        block_size
            Events per block, about; by default what suits the device.
        watch
            Is told how far the reading has come.
        """
