"""``hepgrad scan``: the search without gradients that an optimisation has to beat."""

from __future__ import annotations

import argparse
import dataclasses
import math
from pathlib import Path
from typing import Any

from .options import add_overwrite, add_workflow, check_study, positive, prepared, show_removed


def add(commands: Any) -> None:
    """Declare the command.

    Parameters
    ----------
    commands
        The sub-parsers of the command line.
    """
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
    """Run the command, and return the exit code.

    Parameters
    ----------
    arguments
        The workflow, and how to scan it.
    """
    from hepgrad.analysis import Parameters

    from ..defaults import RUNS
    from ..execution import load_events, located, run_facts, settings
    from ..files.lock import locked
    from ..messages.terminal import Console
    from ..results.run_folder import RunFolder
    from ..scan.search import scan, search
    from ..studies.study import Study

    how = {"method": arguments.method, "trials": arguments.trials, "seed": arguments.seed}
    with prepared(arguments) as (workflow, reading):
        output = arguments.output or RUNS / f"{workflow.name}-{arguments.method}"
        RunFolder.check(output, overwrite=arguments.overwrite)
        if arguments.dry_run:
            return show_removed(output)
        with locked(output):
            if isinstance(workflow, Study):
                check_study(workflow, arguments, "also")
                chosen: dict[str, Any] = {"workflow": workflow.name, "settings": dataclasses.asdict(workflow)}
                found = search(workflow.contest(), **how)
            else:
                workflow, fileset = located(workflow)
                chosen = {**settings(workflow, fileset), "also": arguments.also}
                events = load_events(workflow, fileset, **reading)
                found = scan(workflow.analysis, events, workflow.parameters, also=arguments.also, **how)
            folder = RunFolder.create(output, overwrite=arguments.overwrite)
            header = ["objective", *found.points[0]]
            # the cell of a trial that has no objective is empty
            told = ("" if math.isnan(value) else value for value in found.objectives.tolist())
            rows = zip(told, found.points, strict=True)
            folder.write_csv("trials.csv", header, ([value, *point.values()] for value, point in rows))
            if isinstance(found.best, Parameters):
                folder.write_text("best.json", found.best.to_json())
            halves = {"train": found.train, "held_out": found.held_out}
            facts: dict[str, Any] = {
                **{name: [None if math.isnan(value) else value for value in half] for name, half in halves.items()},
                "fits": dataclasses.asdict(found.fits),
                "seconds_of_trials": found.seconds,
            }
            folder.finish(run_facts({**chosen, **how, **facts}, workflow.title, found.seconds))
    console = Console()
    console.print(found.table())
    console.print(f"all points are in {output / 'trials.csv'}", soft_wrap=True)
    return 0
