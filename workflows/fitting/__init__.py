"""Fits of likelihoods that lie in files: read, fitted, told, drawn, and exchanged with other programs."""

from __future__ import annotations

from .conversion import convert
from .likelihood_fit import LikelihoodFit, fit
from .reading import from_workspace, read_workspace
from .signals import SignalLimits, limits

__all__ = [
    "LikelihoodFit",
    "SignalLimits",
    "convert",
    "fit",
    "from_workspace",
    "limits",
    "read_workspace",
]


def __dir__() -> list[str]:
    return __all__
