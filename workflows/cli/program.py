"""The command line: ``hepgrad check zprime``, ``hepgrad run zprime``."""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import warnings
from collections.abc import Sequence

import shtab

from ..compile_cache import compile_cache
from ..errors import InputError, InputWarning
from . import cache, check, convert, fit, listing, new, report, run, scan

COMMANDS = (listing, new, check, run, report, scan, fit, convert, cache)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code: 0; 1 when `check` or `cache verify` found an error; 2 when something that the user gave cannot be
        used, or a run ended without a result, because a fit did not converge or a number is not finite.
    """
    arguments = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            warnings.simplefilter("always", InputWarning)
            # declared by the commands that compile something
            with compile_cache(enabled=getattr(arguments, "compile_cache", False)):
                return int(arguments.carry_out(arguments))
    except (InputError, FloatingPointError) as error:
        return _failed(error)
    except RuntimeError as error:
        # imported here, because the parser answers faster than JAX is loaded
        from hepgrad.analysis import FitError

        if not isinstance(error, FitError):
            raise
        return _failed(error)


def _failed(error: Exception) -> int:
    print(f"hepgrad: {error}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hepgrad", description="Differentiable high-energy-physics analyses that optimise themselves."
    )
    parser.add_argument("--version", action="version", version=f"hepgrad {importlib.metadata.version('hepgrad')}")
    shtab.add_argument_to(parser, help="print a script for the completion of commands in a shell: bash, zsh or tcsh")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for command in COMMANDS:
        command.add(commands)
    return parser


def _show_warning(message: Warning | str, *details: object, **more: object) -> None:
    print(f"hepgrad: warning: {message}", file=sys.stderr)
