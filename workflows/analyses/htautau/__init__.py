"""H to tau tau, muon and hadronic tau, in collisions that CMS recorded in 2012 and published as open data."""

from __future__ import annotations

from .analysis import HTAUTAU

__all__ = [
    "HTAUTAU",
]


def __dir__() -> list[str]:
    return __all__
