"""Benchmarks of the literature: workflows that draw their events and compare their answer with published numbers."""

from __future__ import annotations

from .network import Network, initial, logits
from .session import Session
from .study import Findings, Study
from .training import Loss, Training, train

__all__ = [
    "Findings",
    "Loss",
    "Network",
    "Session",
    "Study",
    "Training",
    "initial",
    "logits",
    "train",
]


def __dir__() -> list[str]:
    return __all__
