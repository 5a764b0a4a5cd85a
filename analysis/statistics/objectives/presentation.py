"""How people are told the value of an objective: by its own name, and not as the logarithm that is optimised."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import jax

from ..histfactory import Model
from .cls import CLs, Limit
from .contract import Objective
from .discovery import Discovery
from .event_counts import CountingObjective
from .registry import objective as as_objective
from .sigma import Sigma


@dataclasses.dataclass(frozen=True)
class Merit:
    """A figure of merit as people know it.

    Attributes
    ----------
    title
        What it is, for headings and axes.
    short
        In one word or two, for a line.
    logarithmic
        Whether the objective is minus the logarithm of the figure, which is then the better the smaller it is.
    """

    title: str
    short: str
    logarithmic: bool = False

    def of(self, value: float) -> float:
        """Return the figure for a value of the objective.

        Parameters
        ----------
        value
            Of the objective.
        """
        return math.exp(-value) if self.logarithmic else value

    def gain(self, before: float, after: float) -> float:
        """Return how many times better a value is than another; NaN where that means nothing.

        Parameters
        ----------
        before, after
            Values of the objective.
        """
        if self.logarithmic:
            return math.exp(after - before)
        return after / before if before > 0 else math.nan


def merit(choice: str | Objective | Callable[[Model], jax.Array]) -> Merit:
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
    chosen = as_objective(choice)
    if isinstance(chosen, Sigma):
        name = chosen.parameter or "mu"
        return Merit(f"Expected uncertainty of {name}", f"sigma({name})", logarithmic=True)
    if isinstance(chosen, Limit):
        title = f"Expected upper limit on the signal strength ({1 - chosen.level:.0%} CL)"
        return Merit(title, "upper limit", logarithmic=True)
    if isinstance(chosen, CLs):
        return Merit("Expected CLs", "CLs", logarithmic=True)
    if isinstance(chosen, Discovery):
        return Merit("Expected discovery significance", "significance")
    if isinstance(chosen, CountingObjective):
        return Merit("Expected significance from counts", "significance")
    return Merit("Objective", "objective")
