"""Which events no cut values inside their bounds could accept, derived from the analysis itself."""

from __future__ import annotations

from .loosest import Loosest

__all__ = [
    "Loosest",
]


def __dir__() -> list[str]:
    return __all__
