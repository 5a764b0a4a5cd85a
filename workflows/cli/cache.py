"""``hepgrad cache``: list, verify, export or clear what ``run --cache`` keeps, and the compiled programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..defaults import CACHE

ACTIONS = {
    "list": "list the samples in the cache, and how much room compiled programs take",
    "verify": "read everything and compare with the checksums; the exit code is 1 when something is wrong",
    "export": "write the samples as Parquet files",
    "clear": "remove the samples, or the compiled programs",
}


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("cache", help="list, verify, export or clear what is kept for the next run")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in ACTIONS.items():
        action = actions.add_parser(name, help=text)
        action.add_argument(
            "folder", metavar="DIR", nargs="?", type=Path, default=CACHE, help=f"the cache (default: {CACHE})"
        )
        if name == "export":
            action.add_argument("--output", metavar="DIR", type=Path, required=True, help="folder for the files")
        if name == "clear":
            action.add_argument("--incomplete", action="store_true", help="only what is damaged, or was interrupted")
            action.add_argument("--compiled", action="store_true", help="the compiled programs, and no samples")
            action.add_argument("--dry-run", action="store_true", help="tell what would be removed, and end")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code: 1 when ``verify`` found a fault."""
    from ..cache import command

    return command.carry_out(arguments)
