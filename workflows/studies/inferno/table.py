"""Our uncertainties beside the published ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from rich.table import Table

from .benchmarks import BENCHMARKS


@dataclasses.dataclass(frozen=True)
class Row:
    """The uncertainty on the signal in every benchmark, for one way to summarise events.

    Numbers are from BM0 to BM4.
    """

    summary: str
    ours: tuple[float, ...]
    published: tuple[float, ...]

    @classmethod
    def of(cls, summary: str, information: jax.Array | np.ndarray, published: tuple[float, ...]) -> Row:
        """Return the row of an information, shape (4, 4)."""
        return cls(summary, tuple(benchmark.sigma(information) for benchmark in BENCHMARKS), published)


def comparison(rows: Sequence[Row]) -> Table:
    """Return the table for people.

    Examples
    --------
    >>> from hepgrad.workflows.studies.inferno.exact import exact_information
    >>> from hepgrad.workflows.studies.inferno.table import Row, comparison
    >>> table = comparison([Row.of("likelihood", exact_information(), (14.71, 15.52, 15.65, 15.62, 16.89))])
    >>> table.row_count
    2
    """
    table = Table(title="Expected uncertainty on 50 signal events", title_justify="left")
    table.add_column("summary of the events")
    table.add_column("by")
    for benchmark in BENCHMARKS:
        table.add_column(benchmark.name, justify="right")
    for row in rows:
        table.add_row(row.summary, "hepgrad", *(f"{sigma:.2f}" for sigma in row.ours))
        table.add_row("", "published", *(f"{sigma:.2f}" for sigma in row.published))
    return table
