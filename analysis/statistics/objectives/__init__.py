"""Figures of merit to optimise an analysis for, as differentiable functions of its statistical model."""

from __future__ import annotations

from .cls import CLs as CLs
from .cls import Limit as Limit
from .counting import AsimovZ as AsimovZ
from .counting import SOverSqrtB as SOverSqrtB
from .counting import SOverSqrtBPlusVariance as SOverSqrtBPlusVariance
from .counting import SOverSqrtSPlusB as SOverSqrtSPlusB
from .discovery import Discovery as Discovery
from .merit import Merit as Merit
from .merit import merit as merit
from .objective import Evaluation as Evaluation
from .objective import Objective as Objective
from .objective import UserObjective as UserObjective
from .registry import OBJECTIVES as OBJECTIVES
from .registry import objective as objective
from .sigma import Sigma as Sigma
