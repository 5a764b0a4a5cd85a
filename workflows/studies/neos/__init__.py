"""neos' blobs: a network and its bins that are trained for the expected exclusion of a signal, systematics included."""

from __future__ import annotations

from .study import NEOS, Neos

__all__ = [
    "NEOS",
    "Neos",
]


def __dir__() -> list[str]:
    return __all__
