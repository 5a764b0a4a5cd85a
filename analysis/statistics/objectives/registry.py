"""Objectives by name."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TypeAlias

from ..histfactory import Model
from .cls import CLs, Limit
from .contract import Judgement, Objective, UserObjective
from .discovery import Discovery
from .event_counts import AsimovZ, SOverSqrtB, SOverSqrtBPlusVariance, SOverSqrtSPlusB
from .luminosity import Luminosity
from .presentation import Merit
from .sigma import Sigma

# a name, an objective with settings of its own, or a function from a model to a scalar or an `Evaluation`
Choice: TypeAlias = str | Objective | Callable[[Model], Judgement]

OBJECTIVES = MappingProxyType(
    {
        "discovery": Discovery(),
        "limit": Limit(),
        "cls": CLs(),
        "luminosity": Luminosity(),
        "sigma_mu": Sigma(),
        "asimov_z": AsimovZ(),
        "s_over_sqrt_b": SOverSqrtB(),
        "s_over_sqrt_s_plus_b": SOverSqrtSPlusB(),
        "s_over_sqrt_b_plus_variance": SOverSqrtBPlusVariance(),
    }
)


def objective(choice: Choice) -> Objective:
    """Return an objective by name, or from a function of the user.

    Parameters
    ----------
    choice
        A name in `OBJECTIVES`, an `Objective` with settings of its own such as ``Sigma("xsec")``, or a function from a
        model to a scalar, larger is better, or to an `Evaluation`.

    Raises
    ------
    ValueError
        When there is none of this name.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.objectives import objective
    >>> objective("discovery")
    Discovery(mu=1.0, floor=0.001)
    """
    if isinstance(choice, str):
        if choice not in OBJECTIVES:
            raise ValueError(f"there is no objective {choice!r}; choose one of {list(OBJECTIVES)}, or give a function")
        return OBJECTIVES[choice]
    return choice if isinstance(choice, Objective) else UserObjective(choice)


def merit(choice: Choice) -> Merit:
    """Return how to tell the value of an objective.

    Parameters
    ----------
    choice
        As for `objective`.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.objectives import merit
    >>> merit("discovery").title
    'Expected discovery significance'
    >>> sigma = merit("sigma_mu")
    >>> print(f"{sigma.short}: {sigma.of(-2.0):.2f}, {sigma.gain(-2.0, -1.9):.3f} times better than before")
    sigma(mu): 7.39, 1.105 times better than before
    """
    return objective(choice).merit
