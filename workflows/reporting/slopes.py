"""The table of the objective's derivatives: which cuts matter, at the start and where the optimisation ended."""

from __future__ import annotations

from rich.table import Table

from hepgrad.analysis import Result


def slopes_table(result: Result) -> Table:
    """Return by how much the objective rises if a cut is moved up by its scale, in the soft reading.

    At an optimum inside the bounds the numbers are small; a cut on its bound keeps the derivative that drove it there.
    The derivatives were taken in the optimisation, with the widths of that step.
    """
    table = Table(title="Derivative of the objective per scale of the cut")
    for heading in ("parameter", "scale", "first step", "best step"):
        table.add_column(heading, justify="left" if heading == "parameter" else "right")
    history = result.history
    best = history[min(result.best.best_step, len(history) - 1)]
    first = history[0].slopes
    for name in (name for name in result.start.parameters.numbers() if name in first):
        spec = result.start.parameters.spec_of(name)
        scale = f"{spec.scale:.4g} {spec.unit}".rstrip() if isinstance(spec.scale, float) else ""
        table.add_row(name, scale, f"{first[name]:+.4f}", f"{best.slopes[name]:+.4f}")
    return table
