"""``hepgrad run``: optimise a workflow and write a report."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .options import add_workflow, positive, prepared

if TYPE_CHECKING:
    from ..study import Study

EXAMPLES = """examples:
  hepgrad run zprime
  hepgrad run zprime --set parameters.met=80 parameters.btag.frozen=true anneal.stop=0.05
  hepgrad run zprime --config hepgrad-runs/zprime/config.toml --output again
  hepgrad run my_search:WORKFLOW --data my_events --steps 500 --starts 4
"""


def add(commands: Any) -> None:
    """Declare the command.

    Parameters
    ----------
    commands
        The sub-parsers of the command line.
    """
    parser = commands.add_parser(
        "run",
        help="optimise a workflow and write a report",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_workflow(parser)
    parser.add_argument("--output", metavar="DIR", type=Path, help="the run folder (default: hepgrad-runs/WORKFLOW)")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier run in the run folder")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run of the same settings")
    parser.add_argument(
        "--unblind", action="store_true", help="look at the observed events, once the cuts are optimised"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--steps", metavar="N", type=positive, help="steps of the optimisation")
    parser.add_argument(
        "--starts", metavar="N", type=positive, help="start from N points, drawn at random after the first"
    )
    parser.add_argument("--seed", metavar="N", type=int, help="draw other points to start from")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code.

    Parameters
    ----------
    arguments
        The workflow, and how to run it.
    """
    from ..execution import run
    from ..study import Study

    common = {name: getattr(arguments, name) for name in ("output", "overwrite", "quiet")}
    changes = {name: getattr(arguments, name) for name in ("steps", "starts", "seed")}
    changes = {name: value for name, value in changes.items() if value is not None}
    with prepared(arguments) as workflow:
        if isinstance(workflow, Study):
            _check_study(workflow, arguments)
            dataclasses.replace(workflow, **changes).run(**common)
        else:
            run(
                dataclasses.replace(workflow, **changes),
                resume=arguments.resume,
                unblind=arguments.unblind,
                cache=arguments.cache,
                skip_bad_files=arguments.skip_bad_files,
                **common,
            )
    return 0


def _check_study(study: Study, arguments: argparse.Namespace) -> None:
    for name in ("data", "config", "settings", "resume", "starts", "unblind", "cache", "skip_bad_files"):
        if getattr(arguments, name):
            option = "set" if name == "settings" else name.replace("_", "-")
            raise InputError(f"{study.name!r} draws its own events and starts at random: it takes no --{option}")
