"""``hepgrad run``: optimise a workflow and write a report."""

from __future__ import annotations

import argparse
import contextlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ..defaults import CHECKPOINT, RUNS
from ..errors import InputError
from ..files.lock import beside
from .options import add_overwrite, add_workflow, positive, prepared, show_removed

EXAMPLES = """examples:
  hepgrad run zprime
  hepgrad run zprime --set parameters.met=80 parameters.btag.frozen=true anneal.stop=0.05
  hepgrad run zprime --config hepgrad-runs/zprime/config.toml --output again
  hepgrad run my_search:WORKFLOW --data my_events --steps 500 --starts 4
  hepgrad run my_search:WORKFLOW --folds 5
  hepgrad run my_search:WORKFLOW --backend out-of-core --cache /scratch/cache
"""


TOGETHER = "Start the same command once for each, with --backend devices and a --cache that all of them see."


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "run",
        help="optimise a workflow and write a report",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_workflow(parser)
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what can be said of a run, besides what is run and on what."""
    parser.add_argument("--output", metavar="DIR", type=Path, help="the run folder (default: hepgrad-runs/WORKFLOW)")
    add_overwrite(parser, "run")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run of the same settings")
    parser.add_argument(
        "--unblind", action="store_true", help="look at the observed events, once the cuts are optimised"
    )
    parser.add_argument(
        "--moving",
        action=argparse.BooleanOptionalAction,
        help="move every cut alone: flat regions, round values, bounds (default: if it takes half a minute at most)",
    )
    parser.add_argument(
        "--repeats",
        metavar="N",
        type=positive,
        default=0,
        help="search again N times, on replicas of the events and from other starts: the spread of every cut",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--steps", metavar="N", type=positive, help="steps of the optimisation")
    parser.add_argument(
        "--starts", metavar="N", type=positive, help="start from N points, drawn at random after the first"
    )
    parser.add_argument(
        "--folds",
        metavar="K",
        type=positive,
        help="cross-fit: each event is judged by cuts found without it",
    )
    parser.add_argument("--seed", metavar="N", type=int, help="draw other points to start from")
    together = parser.add_argument_group("several processes, on one machine or many", TOGETHER)
    together.add_argument("--processes", metavar="N", type=positive, help="how many make this run together")
    together.add_argument("--process", metavar="I", type=int, help="the number of this one, from 0")
    together.add_argument(
        "--coordinator", metavar="HOST:PORT", help="where process 0 listens (default: a port of this machine alone)"
    )
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    how = {name: getattr(arguments, name) for name in ("output", "overwrite", "quiet", "resume", "unblind")}
    how |= {name: getattr(arguments, name) for name in ("moving", "repeats")}
    with _together(arguments), prepared(arguments, "steps", "starts", "seed", "folds") as subject:
        if arguments.dry_run:
            output = arguments.output or RUNS / subject.name
            return show_removed(output, beside(output, CHECKPOINT))
        subject.refuse(arguments, "resume", "starts", "unblind", "folds", "moving", "repeats")
        subject.run(**how)
    return 0


def _together(arguments: argparse.Namespace) -> AbstractContextManager[None]:
    """Return the context in which several processes make one run."""
    if arguments.processes is None:
        if arguments.coordinator is not None or arguments.process is not None:
            raise InputError("--coordinator and --process go with --processes, the number of processes of the run")
        return contextlib.nullcontext()
    if arguments.process is None:
        raise InputError(f"--processes {arguments.processes} needs --process, the number of this one, from 0")
    if arguments.backend != "devices":
        raise InputError("several processes share events over their devices: add --backend devices")
    from ..backends.processes import joined

    return joined(arguments.coordinator, arguments.processes, arguments.process)
