"""Optimisation of the parameters of an analysis."""

from __future__ import annotations

from .checkpoint import Checkpoint as Checkpoint
from .optimize import Split as Split
from .optimize import make_step as make_step
from .optimize import optimize as optimize
from .result import Evaluation as Evaluation
from .result import Point as Point
from .result import Record as Record
from .result import Result as Result
from .schedule import Anneal as Anneal
