"""One descent from one start, as it is told: a record for each step, and the best point so far."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from ..parameters.parameters import Parameters


@dataclasses.dataclass(frozen=True)
class StepRecord:
    """One step of an optimisation.

    Attributes
    ----------
    step
        From 0.
    objective
        In the soft reading on the training events, less penalties, before the step's update.
    width
        The factor on the widths of the soft cuts.
    hard
        The same in the hard reading on the training events after the update; NaN where it was not evaluated.
    values
        The cut values before the update; arrays element by element (``pt[0]``), without weights.
    bandwidth
        The factor on the bandwidths of the histograms.
    validation
        The hard reading on the validation events after the update; NaN where it was not evaluated.
    slopes
        The derivative of the objective with respect to what the optimiser moves before the update: the cut value in
        units of its scale (with `Smooth` bounds, about that). Without weights and edges.
    failed
        How many of the evaluations in the hard reading are not to be believed, because a fit behind them did not
        converge or they are not finite; they are NaN, and the point cannot become the best one.
    """

    step: int
    objective: float
    width: float
    hard: float
    values: Mapping[str, float]
    bandwidth: float = math.nan
    validation: float = math.nan
    slopes: Mapping[str, float] = dataclasses.field(default_factory=dict)
    failed: int = 0

    @property
    def checks(self) -> int:
        """How many evaluations in the hard reading were made after the update."""
        return self.failed + (not math.isnan(self.hard)) + (not math.isnan(self.validation))


@dataclasses.dataclass(frozen=True)
class FitTally:
    """How many evaluations there were, and how many of them are not to be believed; tallies add up.

    Attributes
    ----------
    failed
        Those whose fits did not converge from any start, or that are not finite.
    made
        All of them.

    Examples
    --------
    >>> from hepgrad.analysis.optimisation import FitTally
    >>> print(FitTally(1, 200) + FitTally(2, 3))
    3 of 203 fits failed
    """

    failed: int
    made: int

    def __add__(self, other: FitTally) -> FitTally:
        return FitTally(self.failed + other.failed, self.made + other.made)

    def __str__(self) -> str:
        return f"{self.failed} of {self.made} fits failed"


@dataclasses.dataclass(frozen=True)
class Attempt:
    """A descent from one start, finished or on its way.

    Attributes
    ----------
    start
        Where it began.
    best
        The best point so far, with hard cuts on the events that choose.
    best_value
        The goal there; minus infinity while there is no point whose fits converged.
    best_step
        The number of steps that led there: 0 for the start.
    history
        One record for each step that was made.
    failed
        As for `StepRecord`, of the start.
    """

    start: Parameters
    best: Parameters
    best_value: float
    best_step: int = 0
    history: tuple[StepRecord, ...] = ()
    failed: int = 0

    @property
    def fits(self) -> FitTally:
        """The evaluations of the objective: at the start, in each step, and with hard cuts after some of them."""
        checks = sum(record.checks for record in self.history)
        return FitTally(self.failed + sum(record.failed for record in self.history), 1 + len(self.history) + checks)

    def onwards(self, records: Sequence[StepRecord]) -> Attempt:
        """Return the attempt after more steps.

        Parameters
        ----------
        records
            One for each.
        """
        return dataclasses.replace(self, history=(*self.history, *records))

    def with_check(self, parameters: Parameters, hard: float, validation: float, *, failed: int = 0) -> Attempt:
        """Return the attempt with an evaluation of the point that its last step led to.

        Parameters
        ----------
        parameters
            The point.
        hard, validation
            The goal there with hard cuts, on the training events and on the validation events; NaN without any.
        failed
            How many of the two are NaN because a fit failed; the point is not eligible then.
        """
        *history, last = self.history
        history.append(dataclasses.replace(last, hard=hard, validation=validation, failed=failed))
        checked = dataclasses.replace(self, history=tuple(history))
        value = hard if math.isnan(validation) else validation
        if failed or not value > self.best_value:
            return checked
        return dataclasses.replace(checked, best=parameters, best_value=value, best_step=len(history))


def best_of(attempts: Sequence[Attempt]) -> Attempt:
    """Return the attempt with the largest goal on the events that choose, the first of several."""
    return max(attempts, key=lambda attempt: attempt.best_value)
