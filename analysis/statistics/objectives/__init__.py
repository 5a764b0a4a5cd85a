"""Figures of merit to optimise an analysis for, as differentiable functions of its statistical model."""

from __future__ import annotations

from .cls import CLs as CLs
from .cls import Limit as Limit
from .contract import Evaluation as Evaluation
from .contract import Judgement as Judgement
from .contract import Objective as Objective
from .contract import UserObjective as UserObjective
from .discovery import Discovery as Discovery
from .event_counts import AsimovZ as AsimovZ
from .event_counts import SOverSqrtB as SOverSqrtB
from .event_counts import SOverSqrtBPlusVariance as SOverSqrtBPlusVariance
from .event_counts import SOverSqrtSPlusB as SOverSqrtSPlusB
from .presentation import NO_FIT as NO_FIT
from .presentation import Merit as Merit
from .registry import OBJECTIVES as OBJECTIVES
from .registry import Choice as Choice
from .registry import merit as merit
from .registry import objective as objective
from .sigma import Sigma as Sigma
