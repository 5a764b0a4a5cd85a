"""Optimisation of the parameters of an analysis."""

from __future__ import annotations

from ..data.split import Split, split
from .attempt import Attempt, FitTally, Record
from .checkpoint import Checkpoint
from .fingerprint import differences, fingerprint
from .gradient_descent import optimize
from .loop import Watcher
from .penalty import MaximumChange, MinimumYield, Penalty
from .result import EVALUATIONS, Outcome, Point, Result
from .schedule import Anneal, Schedule
from .starts import draw_starts
from .steps import Position

__all__ = [
    "EVALUATIONS",
    "Anneal",
    "Attempt",
    "Checkpoint",
    "FitTally",
    "MaximumChange",
    "MinimumYield",
    "Outcome",
    "Penalty",
    "Point",
    "Position",
    "Record",
    "Result",
    "Schedule",
    "Split",
    "Watcher",
    "differences",
    "draw_starts",
    "fingerprint",
    "optimize",
    "split",
]


def __dir__() -> list[str]:
    return __all__
