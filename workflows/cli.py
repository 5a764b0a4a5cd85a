"""The command line: ``hepgrad run zprime``."""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from .catalogue import CATALOGUE, find_workflow
from .errors import InputError, InputWarning


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code: 0, or 2 when something that the user gave cannot be used.
    """
    arguments = _parser().parse_args(argv)
    if arguments.command == "list":
        for name, entry in CATALOGUE.items():
            print(f"{name:12}{entry.summary}")
        return 0
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            warnings.simplefilter("always", InputWarning)
            _run(arguments)
    except (InputError, FloatingPointError) as error:
        print(f"hepgrad: {error}", file=sys.stderr)
        return 2
    return 0


def _run(arguments: argparse.Namespace) -> None:
    import jax  # here and not above, so that `hepgrad --help` is quick

    from .execution import run

    # statistics in float64; as a context, because a Python process may go on after `main`
    with jax.enable_x64(True):
        workflow = find_workflow(arguments.workflow)
        workflow = workflow.with_datasets({name: value.split(",") for name, value in arguments.dataset})
        workflow = workflow.with_start({name: _number(name, value) for name, value in arguments.start})
        run(
            workflow,
            data=arguments.data,
            output=arguments.output,
            overwrite=arguments.overwrite,
            quiet=arguments.quiet,
            steps=arguments.steps,
            resume=arguments.resume,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hepgrad", description="Differentiable high-energy-physics analyses that optimise themselves."
    )
    parser.add_argument("--version", action="version", version=f"hepgrad {importlib.metadata.version('hepgrad')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="list the workflows that come with hepgrad")

    run = commands.add_parser("run", help="optimise a workflow and write a report")
    run.add_argument("workflow", help="its name, for instance zprime, or module:object for your own")
    run.add_argument("--data", metavar="DIR", type=Path, help="folder with a fileset.json (default: the workflow's)")
    run.add_argument("--output", metavar="DIR", type=Path, help="the run folder (default: hepgrad-runs/WORKFLOW)")
    run.add_argument("--overwrite", action="store_true", help="replace an earlier run in the run folder")
    run.add_argument("--resume", action="store_true", help="go on with an interrupted run of the same settings")
    run.add_argument("--quiet", action="store_true", help="print nothing but errors")
    run.add_argument("--steps", metavar="N", type=_positive, help="steps of the optimisation")
    run.add_argument(
        "--dataset",
        metavar="PROCESS=SAMPLE[,SAMPLE]",
        type=_assignment,
        action="extend",
        nargs="+",
        default=[],
        help="take these samples of the fileset for a process",
    )
    run.add_argument(
        "--start",
        metavar="PARAMETER=VALUE",
        type=_assignment,
        action="extend",
        nargs="+",
        default=[],
        help="start the optimisation from another value of a parameter, in its unit",
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a positive whole number, got {text!r}")
    return int(text)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    return name, value


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InputError(f"--start {name}: expected a number, got {value!r}") from None


def _show_warning(message: Warning | str, *details: object, **more: object) -> None:
    print(f"hepgrad: warning: {message}", file=sys.stderr)
