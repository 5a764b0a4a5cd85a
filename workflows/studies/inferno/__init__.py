"""INFERNO's synthetic problem: a network that is trained for the uncertainty itself, nuisance parameters included."""

from __future__ import annotations

from .study import INFERNO, Inferno

__all__ = [
    "INFERNO",
    "Inferno",
]


def __dir__() -> list[str]:
    return __all__
