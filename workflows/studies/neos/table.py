"""What the four bins tell about the signal, beside the published numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import jax
from rich.table import Table

from hepgrad.analysis.statistics import Model
from hepgrad.analysis.statistics.fitting import FitError
from hepgrad.analysis.statistics.objectives import CLs, Discovery, Evaluation, Sigma


@dataclasses.dataclass(frozen=True)
class Row:
    """Expected results with one way to bin events.

    Attributes
    ----------
    goal
        What the network was trained for.
    cls
        Median CLs of the signal when there is none.
    p0
        Median p-value of the background when there is the signal.
    sigma_mu
        Uncertainty on the signal strength 1.
    seconds_per_step
        Of the training, without compilation; None where nothing is trained.
    """

    goal: str
    cls: float
    p0: float
    sigma_mu: float
    seconds_per_step: float | None = None

    @classmethod
    def of(cls, goal: str, model: Model, seconds_per_step: float | None = None) -> Row:
        """Return the row of a statistical model.

        Raises `FitError` when a fit does not converge.
        """
        expected = _expected(model)
        if not all(result.converged for result in expected):
            raise FitError(f"a fit of the model of {goal!r} did not converge")
        log_cls, significance, log_sigma = (float(result.value) for result in expected)
        p0 = 0.5 * math.erfc(significance / math.sqrt(2))
        return cls(goal, math.exp(-log_cls), p0, math.exp(-log_sigma), seconds_per_step)


@jax.jit
def _expected(model: Model) -> tuple[Evaluation, Evaluation, Evaluation]:
    return CLs().confirmed(model), Discovery().confirmed(model), Sigma().confirmed(model)


# arXiv:2203.05570: the best that its notebook shows within 60 steps
PUBLISHED = Row("published", 8.6e-7, 1.4e-4, 0.263, 2.4)


def comparison(rows: Sequence[Row]) -> Table:
    """Return the table for people, with the published numbers below.

    Examples
    --------
    >>> from hepgrad.workflows.studies.neos.table import comparison
    >>> comparison([]).row_count
    1
    """
    table = Table(title="Expected results with four bins", title_justify="left")
    table.add_column("trained for")
    for title in ("CLs", "p0", "sigma(mu)", "seconds a step"):
        table.add_column(title, justify="right")
    for row in (*rows, PUBLISHED):
        seconds = "" if row.seconds_per_step is None else f"{row.seconds_per_step:.2f}"
        table.add_row(row.goal, f"{row.cls:.1e}", f"{row.p0:.1e}", f"{row.sigma_mu:.3f}", seconds)
    return table
