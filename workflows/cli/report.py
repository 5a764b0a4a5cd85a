"""``hepgrad report``: make the report of a finished run anew."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import shtab

EXAMPLES = """Everything is taken from the run folder: no events are read, and nothing is optimised again.

examples:
  hepgrad report hepgrad-runs/zprime
  hepgrad report hepgrad-runs/htautau --experiment "CMS Open Data"
"""


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "report",
        help="make the report and the plots of a finished run anew, from its run folder alone",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    folder = parser.add_argument("folder", metavar="RUN_FOLDER", type=Path, help="what `hepgrad run` left")
    folder.complete = shtab.DIRECTORY  # in a shell
    parser.add_argument(
        "--experiment",
        metavar="TEXT",
        help="what plots say at the top left; the first word chooses their style: ALICE, ATLAS, CMS, DUNE or LHCb",
    )
    parser.add_argument("--dry-run", action="store_true", help="tell which files would be replaced, and end")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    from ..reporting import replaced_by_report, report

    if arguments.dry_run:
        for file in replaced_by_report(arguments.folder):
            print(f"would replace {file}")
        return 0
    print(f"the report is {report(arguments.folder, experiment=arguments.experiment)}")
    return 0
