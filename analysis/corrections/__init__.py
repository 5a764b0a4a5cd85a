"""Official corrections, such as scale factors and jet energies, as differentiable functions."""

from __future__ import annotations

from .correction import CompoundCorrection, Correction, read_corrections

__all__ = [
    "CompoundCorrection",
    "Correction",
    "read_corrections",
]


def __dir__() -> list[str]:
    return __all__
