"""``hepgrad new``: a script to start from."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("new", help="write a commented analysis of your own, which runs at once")
    parser.add_argument("name", help="of the script, for instance my_search")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    from .scaffold import new_analysis

    path = new_analysis(arguments.name)
    print(f"{path} is written; run it with: hepgrad run {path.stem}:WORKFLOW")
    return 0
