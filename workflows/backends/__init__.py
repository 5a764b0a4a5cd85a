"""Where events are and what computes with them: this process, its disk, devices of many machines, Dask's workers."""

from __future__ import annotations

from .backend import Backend
from .choose import choose_backend, find_backend
from .dask import Dask
from .devices import Devices
from .in_memory import InMemory
from .out_of_core import OutOfCore

__all__ = [
    "Backend",
    "Dask",
    "Devices",
    "InMemory",
    "OutOfCore",
    "choose_backend",
    "find_backend",
]


def __dir__() -> list[str]:
    return __all__
