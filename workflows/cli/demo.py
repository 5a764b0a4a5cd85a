"""``hepgrad demo``: a search on the events that come with hepgrad."""

from __future__ import annotations

from typing import Any

from . import run
from .options import add_settings


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("demo", help="optimise the search `zprime` on events that come with hepgrad")
    add_settings(parser)
    run.add_options(parser)
    parser.set_defaults(carry_out=run.carry_out, workflow="zprime")
