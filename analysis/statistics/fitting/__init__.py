"""Maximum-likelihood fits of HistFactory models."""

from __future__ import annotations

from .error import FitError
from .maximum_likelihood import FitResult, fit

__all__ = [
    "FitError",
    "FitResult",
    "fit",
]


def __dir__() -> list[str]:
    return __all__
