"""Objectives by name."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import jax

from ..histfactory import Model
from .cls import CLs, Limit
from .contract import Objective, UserObjective
from .discovery import Discovery
from .event_counts import AsimovZ, SOverSqrtB, SOverSqrtBPlusVariance, SOverSqrtSPlusB
from .sigma import Sigma

OBJECTIVES = MappingProxyType(
    {
        "discovery": Discovery(),
        "limit": Limit(),
        "cls": CLs(),
        "sigma_mu": Sigma(),
        "asimov_z": AsimovZ(),
        "s_over_sqrt_b": SOverSqrtB(),
        "s_over_sqrt_s_plus_b": SOverSqrtSPlusB(),
        "s_over_sqrt_b_plus_variance": SOverSqrtBPlusVariance(),
    }
)


def objective(choice: str | Objective | Callable[[Model], jax.Array]) -> Objective:
    """Return an objective by name, or from a function of the user.

    Parameters
    ----------
    choice
        A name in `OBJECTIVES`, an `Objective` with settings of its own such as ``Sigma("xsec")``, or a function from a
        model to a scalar, larger is better.

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
