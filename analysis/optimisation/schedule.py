"""How the width of the soft cuts and the bandwidth of the histograms shrink during an optimisation."""

from __future__ import annotations

import dataclasses
import math
from typing import Protocol


class Schedule(Protocol):
    """A factor from step to step: `Anneal`, or any function of this form."""

    def __call__(self, step: int, steps: int) -> float:
        """Return the factor at one step.

        Parameters
        ----------
        step
            From 0.
        steps
            How many there are.
        """


@dataclasses.dataclass(frozen=True)
class Anneal:
    """Shrink the width factor geometrically, from ``start`` at the first step to ``stop`` at the last.

    Wide cuts see far and give smooth gradients but a biased optimum; narrow ones are nearly the hard cuts. The width is
    never learned: an optimiser that may choose it exploits the relaxation.

    Attributes
    ----------
    start, stop
        Factors on the parameters' widths; ``start`` is at least ``stop``.

    Raises
    ------
    ValueError
        When they are not positive or ``start`` is smaller than ``stop``.

    Examples
    --------
    >>> from hepgrad.analysis import Anneal
    >>> [round(Anneal(1.0, 0.25)(step, 3), 3) for step in range(3)]
    [1.0, 0.5, 0.25]
    """

    start: float = 1.0
    stop: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.stop <= self.start < math.inf:
            raise ValueError(f"widths must be positive and shrink, got start={self.start}, stop={self.stop}")

    def __call__(self, step: int, steps: int) -> float:
        """Return the factor at one step.

        Parameters
        ----------
        step
            From 0.
        steps
            How many there are.
        """
        share = step / max(steps - 1, 1)
        return float(self.start * (self.stop / self.start) ** share)
