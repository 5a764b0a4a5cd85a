"""The command line: ``hepgrad check zprime``, ``hepgrad run zprime``."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import io
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import shtab

from ..compile_cache import compile_cache
from ..errors import CLOSED, EXIT_CODES, INTERRUPTED, InputWarning
from ..messages.failure import Failure, failure
from . import cache, check, convert, demo, fit, listing, new, report, run, scan

COMMANDS = (demo, listing, new, check, run, report, scan, fit, convert, cache)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Every failure ends with one line that says what, where and what to do; with ``--debug``, the traceback stands
    before it.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code: see `hepgrad.workflows.errors.EXIT_CODES`.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    # before JAX is imported; XLA writes of compilations that take minutes, of which there is news anyway. What stops it
    # comes as an exception. "1" is what JAX itself sets, and what a process has that a program with JAX starts; whoever
    # wants to read it asks for "0".
    if "jax" not in sys.modules and os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1":
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    _show_every_character()
    arguments = argparse.Namespace()
    try:
        arguments = _parsed(given)
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            warnings.simplefilter("always", InputWarning)
            # declared by the commands that compile something
            with compile_cache(enabled=getattr(arguments, "compile_cache", False)):
                code = int(arguments.carry_out(arguments))
            sys.stdout.flush()
            return code
    except BrokenPipeError as error:
        _discard_output()
        return _ended(Failure(CLOSED, "the output was closed", tuple(_notes(error))), arguments, given)
    except KeyboardInterrupt as error:
        return _ended(Failure(INTERRUPTED, "interrupted", tuple(_notes(error))), arguments, given)
    except Exception as error:
        return _ended(failure(error), arguments, given)


def _parsed(given: Sequence[str]) -> argparse.Namespace:
    try:
        return _parser().parse_args(given)
    except SystemExit:
        # help was printed, or a mistake was told; whether there is room for it shows here
        sys.stdout.flush()
        raise


def _parser() -> argparse.ArgumentParser:
    codes = "\n".join(f"  {code:3}  {meaning}" for code, meaning in EXIT_CODES.items())
    parser = _Parser(
        prog="hepgrad",
        description="Differentiable high-energy-physics analyses that optimise themselves.",
        epilog=f"exit codes:\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hepgrad {importlib.metadata.version('hepgrad')}")
    shtab.add_argument_to(parser, help="print a script for the completion of commands in a shell: bash, zsh or tcsh")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for command in COMMANDS:
        command.add(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser that knows ``--debug``, as those of all its commands do."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # absent unless given, because a command must not take back what was said before it
        self.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of what goes wrong"
        )

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print, and raise where there is no room for it: argparse says nothing then."""
        (file or sys.stderr).write(message)


def _ended(found: Failure, arguments: argparse.Namespace, given: Sequence[str]) -> int:
    if getattr(arguments, "debug", False):
        traceback.print_exc()
    print(found.told(_again(given)), file=sys.stderr)
    return found.code


def _again(given: Sequence[str]) -> str:
    """Return the command that goes on with an interrupted run."""
    kept = [word for word in given if word not in ("--resume", "--debug")]
    return shlex.join(["hepgrad", *kept, "--resume"])


def _notes(error: BaseException) -> Sequence[str]:
    return getattr(error, "__notes__", ())


def _show_warning(message: Warning | str, *details: object, **more: object) -> None:
    from ..messages.failure import one_line

    print(f"hepgrad: warning: {one_line(str(message))}", file=sys.stderr)


def _show_every_character() -> None:
    """Let terminals that cannot show a character show its number, and print to nowhere what has no place."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started the program
            setattr(sys, name, io.StringIO())
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Keep Python from writing to a closed pipe once more when it ends."""
    with contextlib.suppress(OSError, ValueError):  # there is no such file, as in a notebook
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
