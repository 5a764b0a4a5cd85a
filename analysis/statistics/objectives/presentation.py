"""How people are told the value of an objective: by its own name, and not as the logarithm that is optimised."""

from __future__ import annotations

import dataclasses
import math

# what stands in place of a number that rests on a fit that did not converge
NO_FIT = "no fit"


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

    Examples
    --------
    >>> from hepgrad.analysis.statistics.objectives import Merit
    >>> limit = Merit("Expected upper limit", "upper limit", logarithmic=True)
    >>> limit.text(0.0, ".2f"), limit.text(float("nan"), ".2f")
    ('1.00', 'no fit')
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

    def text(self, value: float, digits: str) -> str:
        """Return the figure for people; that of a fit that did not converge is not told.

        Parameters
        ----------
        value
            Of the objective; NaN where a fit behind it did not converge.
        digits
            How the number is written, such as ``".3f"``.
        """
        return NO_FIT if math.isnan(value) else format(self.of(value), digits)

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
