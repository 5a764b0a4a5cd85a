"""The command line: ``hepgrad check zprime``, ``hepgrad run zprime``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.metadata
import sys
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from .catalogue import CATALOGUE, find_workflow
from .errors import InputError, InputWarning

if TYPE_CHECKING:
    from .study import Study


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code: 0; 1 when `check` found an error; 2 when something that the user gave cannot be used.
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
            return _carry_out(arguments)
    except (InputError, FloatingPointError) as error:
        print(f"hepgrad: {error}", file=sys.stderr)
        return 2


def _carry_out(arguments: argparse.Namespace) -> int:
    import jax  # here and not above, so that `hepgrad --help` is quick
    from rich.console import Console

    from hepgrad.analysis import Severity

    from .execution import examine, run
    from .study import Study

    # statistics in float64; as a context, because a Python process may go on after `main`
    with jax.enable_x64(True), _computing_on(arguments.device):
        workflow = find_workflow(arguments.workflow)
        if isinstance(workflow, Study):
            _run_study(workflow, arguments)
            return 0
        workflow = workflow.with_datasets({name: value.split(",") for name, value in arguments.dataset})
        workflow = workflow.with_start({name: _number(name, value) for name, value in arguments.start})
        if arguments.command == "check":
            diagnosis = examine(workflow, data=arguments.data)
            Console().print(diagnosis)
            return int(diagnosis.worst is Severity.ERROR)
        run(
            workflow,
            data=arguments.data,
            output=arguments.output,
            overwrite=arguments.overwrite,
            quiet=arguments.quiet,
            steps=arguments.steps,
            resume=arguments.resume,
            starts=arguments.starts,
            seed=arguments.seed,
        )
    return 0


def _run_study(study: Study, arguments: argparse.Namespace) -> None:
    if arguments.command == "check":
        raise InputError(f"{study.name!r} draws its own events, there is nothing to check: run it")
    given = {
        "--data": arguments.data,
        "--dataset": arguments.dataset,
        "--start": arguments.start,
        "--resume": arguments.resume,
        "--starts": arguments.starts > 1,
    }
    if wrong := [option for option, value in given.items() if value]:
        raise InputError(f"{study.name!r} draws its own events and starts at random: it takes no {wrong[0]}")
    study = dataclasses.replace(study, seed=arguments.seed, steps=arguments.steps or study.steps)
    study.run(output=arguments.output, overwrite=arguments.overwrite, quiet=arguments.quiet)


def _computing_on(kind: str | None) -> AbstractContextManager[None]:
    """Return the context in which JAX computes on devices of a kind, or on those it prefers."""
    import jax

    if kind is None:
        return contextlib.nullcontext()
    try:
        return jax.default_device(jax.devices(kind)[0])
    except RuntimeError:
        there = sorted({device.platform for device in jax.devices()})
        advice = " (on an NVIDIA GPU, install hepgrad with its extra `cuda`)" if kind == "gpu" else ""
        raise InputError(f"--device {kind}: JAX finds no {kind} here, only {', '.join(there)}{advice}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hepgrad", description="Differentiable high-energy-physics analyses that optimise themselves."
    )
    parser.add_argument("--version", action="version", version=f"hepgrad {importlib.metadata.version('hepgrad')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="list the workflows that come with hepgrad")

    check = commands.add_parser("check", help="tell what is wrong with a workflow before it runs")
    run = commands.add_parser("run", help="optimise a workflow and write a report")
    for command in (check, run):
        _add_workflow(command)
    run.add_argument("--output", metavar="DIR", type=Path, help="the run folder (default: hepgrad-runs/WORKFLOW)")
    run.add_argument("--overwrite", action="store_true", help="replace an earlier run in the run folder")
    run.add_argument("--resume", action="store_true", help="go on with an interrupted run of the same settings")
    run.add_argument("--quiet", action="store_true", help="print nothing but errors")
    run.add_argument("--steps", metavar="N", type=_positive, help="steps of the optimisation")
    run.add_argument(
        "--starts", metavar="N", type=_positive, default=1, help="start from N points, drawn at random after the first"
    )
    run.add_argument("--seed", metavar="N", type=int, default=0, help="draw other points to start from (default: 0)")
    return parser


def _add_workflow(command: argparse.ArgumentParser) -> None:
    command.add_argument("workflow", help="its name, for instance zprime, or module:object for your own")
    command.add_argument("--data", metavar="DIR", type=Path, help="folder with a fileset.json (default: its own)")
    command.add_argument(
        "--device", choices=["cpu", "gpu"], help="what to compute on (default: a GPU where JAX finds one)"
    )
    command.add_argument(
        "--dataset",
        metavar="PROCESS=SAMPLE[,SAMPLE]",
        type=_assignment,
        action="extend",
        nargs="+",
        default=[],
        help="take these samples of the fileset for a process",
    )
    command.add_argument(
        "--start",
        metavar="PARAMETER=VALUE",
        type=_assignment,
        action="extend",
        nargs="+",
        default=[],
        help="start from another value of a parameter, in its unit",
    )


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
