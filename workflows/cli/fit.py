"""``hepgrad fit``: the likelihood of a pyhf workspace, fitted to its data."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Column, Table

from ..errors import InputError

if TYPE_CHECKING:
    from hepgrad.analysis.statistics.inference import Impacts

EXAMPLES = """examples:
  hepgrad fit hepgrad-runs/ttbar-agc/workspace.json
  hepgrad fit workspace.json --asimov
"""


def add(commands: Any) -> None:
    """Declare the command.

    Parameters
    ----------
    commands
        The sub-parsers of the command line.
    """
    parser = commands.add_parser(
        "fit",
        help="fit a pyhf workspace, such as a run leaves",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("workspace", metavar="FILE", type=Path, help="JSON of pyhf or HistFactory")
    parser.add_argument("--measurement", metavar="NAME", help="which one, where the file has several")
    parser.add_argument(
        "--asimov", action="store_true", help="fit what is expected, and not look at what the file says was observed"
    )
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code.

    Parameters
    ----------
    arguments
        The workspace.
    """
    import jax

    from hepgrad.analysis import FitError, from_workspace
    from hepgrad.analysis.statistics.inference import impacts

    from ..terminal import Console

    file = arguments.workspace
    with jax.enable_x64(True):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            model, data = from_workspace(content, measurement=arguments.measurement)
        except (OSError, TypeError, ValueError) as error:
            raise InputError(f"{file} is no workspace that can be fitted: {error}") from None
        if not model.parameter_of_interest:
            raise InputError(f"the measurement in {file} has no parameter of interest")
        try:
            # compiled, because it then tells which of the other fits did not converge
            found = jax.jit(impacts)(model, model.expected_data(model.initial) if arguments.asimov else data)
        except FitError as error:
            raise InputError(f"{file}: {error}") from None
        Console().print(_table(found, model.parameter_of_interest))
    return 0


def _table(found: Impacts, poi: str) -> Table:
    best, index = found.best, found.names.index(poi)
    estimate = f"{poi} = {best.parameters[index]:.6g} +- {best.uncertainties[index]:.6g}, -2 ln L = {2 * best.nll:.6f}"
    table = Table(Column("parameter", overflow="fold"), title=estimate, title_justify="left")
    for column in ("pull", "constraint", f"{poi} at -1", f"{poi} at +1"):
        table.add_column(column, justify="right")
    for name in found.ranking():
        at = found.names.index(name)
        numbers = (found.pull, found.constraint, found.postfit_down, found.postfit_up)
        table.add_row(name, *(f"{number[at]:.3f}" for number in numbers))
    return table
