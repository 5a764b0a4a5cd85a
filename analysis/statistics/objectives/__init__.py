"""Figures of merit to optimise an analysis for, as differentiable functions of its statistical model."""

from __future__ import annotations

from .cls import CLs, Limit
from .contract import Evaluation, Judgement, Objective, UserObjective
from .discovery import Discovery
from .event_counts import AsimovZ, SOverSqrtB, SOverSqrtBPlusVariance, SOverSqrtSPlusB
from .luminosity import Luminosity
from .presentation import NO_FIT, Merit
from .registry import OBJECTIVES, Choice, merit, objective
from .several import Several
from .sigma import Sigma

__all__ = [
    "NO_FIT",
    "OBJECTIVES",
    "AsimovZ",
    "CLs",
    "Choice",
    "Discovery",
    "Evaluation",
    "Judgement",
    "Limit",
    "Luminosity",
    "Merit",
    "Objective",
    "SOverSqrtB",
    "SOverSqrtBPlusVariance",
    "SOverSqrtSPlusB",
    "Several",
    "Sigma",
    "UserObjective",
    "merit",
    "objective",
]


def __dir__() -> list[str]:
    return __all__
