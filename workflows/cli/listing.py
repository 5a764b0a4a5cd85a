"""``hepgrad list``: the workflows that come with hepgrad."""

from __future__ import annotations

import argparse
from typing import Any

from ..catalogue import CATALOGUE


def add(commands: Any) -> None:
    """Declare the command."""
    commands.add_parser("list", help="list the workflows that come with hepgrad").set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    width = 2 + max(map(len, CATALOGUE))
    for name, entry in CATALOGUE.items():
        print(f"{name:{width}}{entry.summary}")
    return 0
