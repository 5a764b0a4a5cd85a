"""Which backend a run gets: the one that its user names, or the quickest that holds the events."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError
from ..read.collect import Recipe
from ..read.files.size import estimated_bytes
from .backend import Backend
from .devices import Devices, preferred_devices
from .in_memory import InMemory
from .out_of_core import OutOfCore

# while blocks are packed there are columns and blocks; the rest is for what is computed
COPIES = 3.0


def choose_backend(recipe: Recipe, folder: Path) -> Backend:
    """Return the quickest backend that holds the events of a recipe.

    Several devices share them; otherwise they are kept in memory where three times their estimated size fits into what
    the device or the machine has, and else in shards on disk.

    Parameters
    ----------
    recipe
        What is to be read.
    folder
        Of a cache, for shards on disk.
    """
    if len(preferred_devices()) > 1:
        return Devices()
    return InMemory() if COPIES * estimated_bytes(recipe) < memory() else OutOfCore(folder)


def find_backend(name: str | None, recipe: Recipe, folder: Path) -> Backend:
    """Return a backend by its name, or the one that suits a recipe.

    Parameters
    ----------
    name
        ``"in-memory"``, ``"out-of-core"`` or ``"devices"`` (`Dask` needs a client); None for `choose_backend`.
    recipe, folder
        As for `choose_backend`.

    Raises
    ------
    InputError
        When there is none of this name.
    """
    if name is None:
        return choose_backend(recipe, folder)
    known: dict[str, Backend] = {"in-memory": InMemory(), "out-of-core": OutOfCore(folder), "devices": Devices()}
    if name not in known:
        raise InputError(f"there is no backend {name!r}; there are {', '.join(known)}")
    return known[name]


def memory() -> float:
    """Return how many bytes of memory the device that is computed on has, or, for a CPU, the machine."""
    told = preferred_devices()[0].memory_stats() or {}
    return float(told.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
