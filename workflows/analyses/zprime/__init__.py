"""A search for Z' -> top antitop in the muon + jets final state, on events shipped with the package."""

from __future__ import annotations

from .analysis import ZPRIME

__all__ = [
    "ZPRIME",
]


def __dir__() -> list[str]:
    return __all__
