"""Where events are and what computes with them: this process, its disk, devices of many machines, Dask's workers."""

from __future__ import annotations

from .backend import Backend as Backend
from .choose import choose_backend as choose_backend
from .choose import find_backend as find_backend
from .dask import Dask as Dask
from .devices import Devices as Devices
from .in_memory import InMemory as InMemory
from .out_of_core import OutOfCore as OutOfCore
