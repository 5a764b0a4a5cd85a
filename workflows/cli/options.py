"""What several commands have in common: which workflow, with what settings, on which device."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..catalogue import find_workflow
from ..defaults import CACHE
from ..errors import InputError

if TYPE_CHECKING:
    from ..backends import Dask
    from .subjects import Runnable


def add_workflow(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say what is run, and on what."""
    parser.add_argument("workflow", help="its name, for instance zprime, or module:object for your own")
    add_settings(parser)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say on what a workflow is run, and with which settings."""
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder with a fileset.json (default: its own)")
    parser.add_argument("--config", metavar="FILE", type=Path, help="TOML file with settings, as a run folder has one")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        dest="settings",
        action="extend",
        nargs="+",
        default=[],
        help="change settings, for instance parameters.met=60 anneal.stop=0.05; they win over those of the file",
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        nargs="?",
        type=Path,
        const=CACHE,
        help=f"keep what is read, so that the next run starts at once (default without DIR: {CACHE})",
    )
    parser.add_argument(
        "--skip-bad-files", action="store_true", help="go on without files that cannot be read, normalised to the rest"
    )
    parser.add_argument(
        "--backend",
        choices=["in-memory", "out-of-core", "devices", "dask"],
        help="where events are, and what computes with them (default: the quickest that holds them)",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster (default: one of its own, on this machine)"
    )
    parser.add_argument(
        "--device", choices=["cpu", "gpu"], help="what to compute on (default: a GPU where JAX finds one)"
    )
    add_compile_cache(parser)


def add_compile_cache(parser: argparse.ArgumentParser) -> None:
    """Declare the option of a command that compiles programs."""
    parser.add_argument(
        "--no-compile-cache",
        dest="compile_cache",
        action="store_false",
        help="neither read nor keep compiled programs (`hepgrad cache list` tells where they are)",
    )


def add_overwrite(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare ``--overwrite``, and ``--dry-run``, which tells what it would remove.

    ``what`` is in the folder that may be replaced.
    """
    parser.add_argument("--overwrite", action="store_true", help=f"replace an earlier {what} in the folder")
    parser.add_argument(
        "--dry-run", action="store_true", help="with --overwrite: tell which files would be removed, and end"
    )


def show_removed(output: Path, *others: Path) -> int:
    """Tell what ``--overwrite`` would remove, and return the exit code.

    ``others`` are files beside the folder that would be removed too.
    """
    from ..messages.terminal import Console
    from ..results.run_folder import RunFolder

    console = Console()
    removed = [*RunFolder.removed_by_overwriting(output), *(file for file in others if file.exists())]
    for file in removed:
        console.print(f"would remove {file}", soft_wrap=True)
    console.print(f"would remove {len(removed)} files")
    return 0


@contextlib.contextmanager
def prepared(arguments: argparse.Namespace, *given: str) -> Iterator[Runnable]:
    """Yield the workflow with its settings and how its events are read, in the precision and on the device to run it.

    ``given`` are names of more arguments, which are settings of the workflow. Raises `InputError` when there is no such
    workflow, setting or device.
    """
    import jax

    from .subjects import subject_of

    with contextlib.ExitStack() as stack:
        # statistics in float64; as a context, because a Python process may go on after the command
        stack.enter_context(jax.enable_x64(True))
        stack.enter_context(_computing_on(arguments.device))
        found = find_workflow(arguments.workflow)
        reading: dict[str, Any] = {
            "cache": arguments.cache,
            "skip_bad_files": arguments.skip_bad_files,
            "backend": arguments.backend,
        }
        if arguments.scheduler and arguments.backend != "dask":
            raise InputError("--scheduler is the address of a Dask cluster: it goes with --backend dask")
        if arguments.backend == "dask":
            reading["backend"] = stack.enter_context(_dask(arguments.scheduler, arguments.cache or CACHE))
        yield subject_of(found, arguments, given, reading)


@contextlib.contextmanager
def _dask(scheduler: str | None, folder: Path) -> Iterator[Dask]:
    from ..backends import Dask

    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(f"{error}; install hepgrad with its extra `dask`") from error
    try:
        client = Client(scheduler)
    except (OSError, ValueError) as error:
        raise InputError(f"--scheduler {scheduler}: no Dask cluster answers there ({error})") from error
    with client:
        yield Dask(client, folder)


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


def positive(text: str) -> int:
    """Return a positive whole number.

    Raises `argparse.ArgumentTypeError` when it is something else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a positive whole number, got {text!r}")
    return int(text)
