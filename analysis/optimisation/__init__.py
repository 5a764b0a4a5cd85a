"""Optimisation of the parameters of an analysis."""

from __future__ import annotations

from ..data.folds import Folds, fold_numbers, folds
from ..data.split import Split, split
from .attempt import Attempt, FitTally, StepRecord
from .checkpoint import Checkpoint
from .cross_fitting import CrossFit, cross_fit
from .fingerprints import differences, fingerprint
from .gradient_descent import optimize
from .loop import Watcher
from .penalty import MaximumChange, MinimumYield, NonClosure, Penalty
from .programs.averaged import averaged
from .result import EVALUATIONS, Fold, Outcome, Point, Result
from .schedule import Anneal, Schedule
from .starts import draw_starts
from .steps import Position

__all__ = [
    "EVALUATIONS",
    "Anneal",
    "Attempt",
    "Checkpoint",
    "CrossFit",
    "FitTally",
    "Fold",
    "Folds",
    "MaximumChange",
    "MinimumYield",
    "NonClosure",
    "Outcome",
    "Penalty",
    "Point",
    "Position",
    "Result",
    "Schedule",
    "Split",
    "StepRecord",
    "Watcher",
    "averaged",
    "cross_fit",
    "differences",
    "draw_starts",
    "fingerprint",
    "fold_numbers",
    "folds",
    "optimize",
    "split",
]

# what `StepRecord` was called before; not to be taken for `hepgrad.ragged.Record`
Record = StepRecord


def __dir__() -> list[str]:
    return __all__
