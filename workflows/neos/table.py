"""What the four bins tell about the signal, beside the published numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
from jax.scipy.stats import norm
from rich.table import Table

from hepgrad.analysis.statistics import Model
from hepgrad.analysis.statistics.objectives import CLs, Discovery, Sigma


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

        Raises
        ------
        FitError
            When a fit does not converge.
        """
        return cls(
            goal=goal,
            cls=float(jnp.exp(-CLs()(model))),
            p0=float(norm.sf(Discovery()(model))),
            sigma_mu=float(jnp.exp(-Sigma()(model))),
            seconds_per_step=seconds_per_step,
        )


# arXiv:2203.05570: the best that its notebook shows within 60 steps
PUBLISHED = Row("published", 8.6e-7, 1.4e-4, 0.263, 2.4)


def comparison(rows: Sequence[Row]) -> Table:
    """Return the table for people, with the published numbers below.

    Parameters
    ----------
    rows
        In this order.

    Examples
    --------
    >>> from hepgrad.workflows.neos.table import comparison
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
