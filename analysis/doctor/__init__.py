"""What is wrong with an analysis, told before it is optimised."""

from __future__ import annotations

from .diagnosis import Diagnosis, Finding, Severity
from .examination import check

__all__ = [
    "Diagnosis",
    "Finding",
    "Severity",
    "check",
]


def __dir__() -> list[str]:
    return __all__
