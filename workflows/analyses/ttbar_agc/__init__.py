"""The Analysis Grand Challenge: the top-pair cross-section in the lepton + jets final state."""

from __future__ import annotations

from .analysis import TTBAR_AGC
from .open_data import TTBAR_AGC_OPEN_DATA
from .reference import reference_likelihood

__all__ = [
    "TTBAR_AGC",
    "TTBAR_AGC_OPEN_DATA",
    "reference_likelihood",
]


def __dir__() -> list[str]:
    return __all__
