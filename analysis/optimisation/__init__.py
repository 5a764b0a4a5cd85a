"""Optimisation of the parameters of an analysis."""

from __future__ import annotations

from ..data.split import Split as Split
from ..data.split import split as split
from .attempt import Attempt as Attempt
from .attempt import FitTally as FitTally
from .attempt import Record as Record
from .checkpoint import Checkpoint as Checkpoint
from .fingerprint import differences as differences
from .fingerprint import fingerprint as fingerprint
from .gradient_descent import optimize as optimize
from .loop import Watcher as Watcher
from .penalty import MaximumChange as MaximumChange
from .penalty import MinimumYield as MinimumYield
from .penalty import Penalty as Penalty
from .result import EVALUATIONS as EVALUATIONS
from .result import Evaluation as Evaluation
from .result import Point as Point
from .result import Result as Result
from .schedule import Anneal as Anneal
from .schedule import Schedule as Schedule
from .starts import draw_starts as draw_starts
from .steps import Position as Position
