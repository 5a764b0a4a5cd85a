"""Optimisation of the parameters of an analysis."""

from __future__ import annotations

from .attempt import Attempt as Attempt
from .attempt import Record as Record
from .checkpoint import Checkpoint as Checkpoint
from .descend import Watcher as Watcher
from .fingerprint import differences as differences
from .fingerprint import fingerprint as fingerprint
from .optimize import optimize as optimize
from .penalty import MaximumChange as MaximumChange
from .penalty import MinimumYield as MinimumYield
from .penalty import Penalty as Penalty
from .result import Evaluation as Evaluation
from .result import Point as Point
from .result import Result as Result
from .schedule import Anneal as Anneal
from .schedule import Schedule as Schedule
from .split import Split as Split
from .split import split as split
from .starts import draw_starts as draw_starts
from .step import Position as Position
