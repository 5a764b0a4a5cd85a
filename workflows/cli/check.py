"""``hepgrad check``: what is wrong with a workflow before it runs."""

from __future__ import annotations

import argparse
from typing import Any

from .options import add_workflow, prepared


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("check", help="tell what is wrong with a workflow before it runs")
    add_workflow(parser)
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code: 1 when it found an error."""
    from hepgrad.analysis import Severity

    from ..messages.terminal import Console

    with prepared(arguments) as subject:
        diagnosis = subject.examine()
    Console().print(diagnosis)
    return int(diagnosis.worst is Severity.ERROR)
