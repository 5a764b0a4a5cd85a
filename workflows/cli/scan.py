"""``hepgrad scan``: the search without gradients that an optimisation has to beat."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .options import add_overwrite, add_workflow, positive, prepared, show_removed


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("scan", help="evaluate many points with hard cuts, to compare `run` with")
    add_workflow(parser)
    parser.add_argument(
        "--method",
        choices=["random", "grid", "optuna"],
        default="random",
        help="how points are chosen (default: random)",
    )
    parser.add_argument("--trials", metavar="N", type=positive, default=500, help="how many points (default: 500)")
    parser.add_argument(
        "--also",
        metavar="NAME",
        nargs="+",
        default=[],
        help="parameters without bounds to scan too, bin edges or weights, which otherwise keep their values",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="draw other points (default: 0)")
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="the folder for all points (default: hepgrad-runs/WORKFLOW-METHOD)"
    )
    add_overwrite(parser, "scan")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    from ..defaults import RUNS
    from ..messages.terminal import Console
    from ..results import file_names

    with prepared(arguments) as subject:
        output = arguments.output or RUNS / f"{subject.name}-{arguments.method}"
        subject.refuse(arguments, "also")
        if arguments.dry_run:
            return show_removed(output)
        found = subject.scan(
            output=output,
            overwrite=arguments.overwrite,
            method=arguments.method,
            trials=arguments.trials,
            seed=arguments.seed,
            also=arguments.also,
        )
    console = Console()
    console.print(found.table())
    console.print(f"all points are in {output / file_names.TRIALS}", soft_wrap=True)
    return 0
