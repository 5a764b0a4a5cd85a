"""``hepgrad convert``: a likelihood from one format to another."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EXAMPLES = """examples:
  hepgrad convert hepgrad-runs/zprime card.txt --to combine
  hepgrad convert card.txt workspace.json --to pyhf --interpretation histfactory
  hepgrad convert workspace.json workspace.hs3.json --to hs3
"""


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "convert",
        help="write a likelihood for other programs: pyhf, HS3, Combine, cabinetry",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="SOURCE", help="run folder, or path or URL of a workspace, HS3 or datacard")
    parser.add_argument("target", metavar="TARGET", type=Path, help="the file to write; histograms go beside it")
    parser.add_argument("--to", choices=["pyhf", "hs3", "combine", "cabinetry"], required=True, help="the format")
    parser.add_argument("--measurement", metavar="NAME", help="which one, where the source has several")
    parser.add_argument("--patch", metavar="FILE[#NAME]", help="JSON patch to apply first, or one of a patch set")
    parser.add_argument(
        "--interpretation",
        choices=["combine", "histfactory"],
        default="combine",
        help="what a datacard means: what Combine makes of it, or what `convert` wrote (default: combine)",
    )
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    from ..fitting import convert

    written = convert(
        arguments.source,
        arguments.target,
        to=arguments.to,
        patch=arguments.patch,
        measurement=arguments.measurement,
        interpretation=arguments.interpretation,
    )
    for path in written:
        print(path)
    return 0
