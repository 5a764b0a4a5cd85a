"""How the time of a step grows with the number of sources, and how the program does."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from .large_analysis import CUTS
from .large_analysis import Size as Large
from .programs import programs
from .runner import Size

# weight sources and kinematic ones, both two-sided
NUMBERS = {
    "quick": [(0, 0), (4, 0), (0, 2), (16, 8)],
    "full": [(0, 0), (20, 0), (80, 0), (0, 3), (0, 9), (0, 27), (59, 27)],
}
EVENTS = {"quick": 10_000, "full": 100_000}


def report(size: Size, console: Console) -> list[dict[str, Any]]:
    """Print and return times and sizes of a step.

    Quick takes fewer events and sources.
    """
    table = Table("weight sources", "kinematic", title="A step against the number of two-sided sources")
    for heading in ("equations", "HLO instructions", "compile / processor s", "step / ms", "of that without sources"):
        table.add_column(heading, justify="right")
    rows: list[dict[str, Any]] = []
    with jax.enable_x64(True):
        for weights, kinematic in NUMBERS[size]:
            large = Large(weights=weights, kinematic=kinematic, events=EVENTS[size])
            step = next(programs(large.analysis(), CUTS, large.dataset(), runs=3))
            rows.append({"weights": weights, "kinematic": kinematic, **dataclasses.asdict(step)})
            first, here = rows[0]["run"], rows[-1]["run"]
            numbers = (f"{step.equations:,}", f"{step.instructions:,}", f"{step.compiling:.1f}", f"{1e3 * here:.0f}")
            table.add_row(str(weights), str(kinematic), *numbers, f"{here / first:.1f}")
    console.print(table)
    return rows
