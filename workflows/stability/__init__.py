"""How far an optimum can be trusted: what a run tells beside its result."""

from __future__ import annotations

from .of_run import Stability

__all__ = [
    "Stability",
]


def __dir__() -> list[str]:
    return __all__
