"""``hepgrad fit``: a likelihood fitted to its data, and what else one wants to know of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import InputError
from .options import add_compile_cache

EXAMPLES = """examples:
  hepgrad fit hepgrad-runs/ttbar-agc/workspace.json
  hepgrad fit workspace.json --asimov --significance --limit --scan --goodness --yields --output fit
  hepgrad fit background.json --patch patchset.json#C1N2_Wh_hbb_300_100 --limit
  hepgrad fit background.json --patchset patchset.json --output limits
  hepgrad fit workspace.json --fix lumi --fix mu=0 --yields
  hepgrad fit https://host.example/workspace.json --measurement search --poi mu_signal
"""
QUANTITIES = {
    "significance": "test the hypothesis of no signal: observed and expected significance",
    "limit": "set a CLs limit, observed and expected with its bands",
    "goodness": "test the fit against the saturated model",
    "yields": "tell the expected events before and after the fit, with uncertainties",
}


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "fit",
        help="fit a likelihood: a pyhf workspace, such as a run leaves, or Combine's datacard",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "workspace", metavar="FILE", help="pyhf workspace, HS3, datacard (path or URL), or a run folder"
    )
    parser.add_argument("--measurement", metavar="NAME", help="which one, where the file has several")
    parser.add_argument("--patch", metavar="FILE[#NAME]", help="JSON patch to apply first, or one of a patch set")
    parser.add_argument(
        "--patchset",
        metavar="FILE",
        help="set limits on all signals of a patch set; --output keeps what is done",
    )
    parser.add_argument(
        "--at-once", metavar="N", type=int, default=8, help="signals of a patch set that are fitted in one go"
    )
    parser.add_argument(
        "--asimov", action="store_true", help="fit what is expected, and not look at what the file says was observed"
    )
    parser.add_argument("--poi", metavar="NAME", help="another parameter of interest than the file's")
    parser.add_argument(
        "--fix",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        type=_held,
        help="hold a parameter, at its start or at a value; may be given several times",
    )
    for quantity, told in QUANTITIES.items():
        parser.add_argument(f"--{quantity}", action="store_true", help=told)
    parser.add_argument(
        "--scan",
        metavar="NAME",
        nargs="?",
        const="",
        help="scan the profile likelihood of a parameter (default: that of interest)",
    )
    parser.add_argument(
        "--no-impacts",
        action="store_true",
        help="leave out pulls and impacts, which take longest (and are never told of a parameter of interest that is "
        "held)",
    )
    parser.add_argument(
        "--points", metavar="N", type=int, default=21, help="of the scan and of the curve of CLs (default: 21)"
    )
    parser.add_argument(
        "--toys", metavar="N", type=int, default=0, help="pseudo-experiments for the goodness of fit (default: none)"
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of their random numbers (default: 0)")
    parser.add_argument(
        "--level", metavar="P", type=float, default=0.05, help="CLs of the limit (default: 0.05, for 95 %% confidence)"
    )
    parser.add_argument("--output", metavar="DIR", type=Path, help="write tables (JSON, CSV) and plots there")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier fit there")
    add_compile_cache(parser)
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    from hepgrad.analysis import FitError

    from ..fitting.watching import watching
    from ..messages.terminal import Console
    from ..results.run_folder import RunFolder

    if arguments.points < 2:
        raise InputError(f"--points must be at least 2, got {arguments.points}")
    if arguments.toys < 0:
        raise InputError(f"--toys must not be negative, got {arguments.toys}")
    if arguments.toys and not arguments.goodness:
        raise InputError("--toys are for the goodness of fit: ask for it by --goodness")
    if not 0 < arguments.level < 1:
        raise InputError(f"--level must lie between 0 and 1 (0.05 for 95 % confidence), got {arguments.level}")
    held = [name for name, _ in arguments.fix]
    if twice := [name for name in dict.fromkeys(held) if held.count(name) > 1]:
        raise InputError(f"--fix holds {twice[0]!r} twice: give one of them")
    if arguments.output is not None and arguments.patchset is None:
        RunFolder.check(arguments.output, overwrite=arguments.overwrite)
    common = {
        "measurement": arguments.measurement,
        "poi": arguments.poi,
        "fixed": dict(arguments.fix),
        "data": "asimov" if arguments.asimov else "observed",
        "level": arguments.level,
    }
    console = Console()
    with watching(Console(stderr=True)) as watch:
        try:
            failed = (_fit if arguments.patchset is None else _limits)(arguments, common, console, watch)
        except FitError as error:
            raise InputError(f"{arguments.workspace}: {error}") from None
    if arguments.output is not None:
        console.print(f"tables and plots are in {arguments.output}", soft_wrap=True)
    return 1 if failed else 0


def _fit(arguments: argparse.Namespace, common: Any, console: Any, watch: Any) -> bool:
    """Fit one likelihood, and return whether something failed."""
    from ..fitting import fit
    from ..fitting.tables import headline, lines, tables

    quantities = [] if arguments.no_impacts else ["impacts"]
    quantities += [quantity for quantity in QUANTITIES if getattr(arguments, quantity)]
    quantities += [] if arguments.scan is None else ["scan"]
    result = fit(
        arguments.workspace,
        patch=arguments.patch,
        quantities=quantities,
        scanned=arguments.scan or None,
        points=arguments.points,
        toys=arguments.toys,
        seed=arguments.seed,
        watch=watch,
        **common,
    )
    if arguments.output is not None:
        result.write(arguments.output, overwrite=arguments.overwrite)
    for line in (headline(result), *lines(result)):
        console.print(line, soft_wrap=True)
    for table in tables(result):
        console.print(table)
    return bool(result.failed)


def _limits(arguments: argparse.Namespace, common: Any, console: Any, watch: Any) -> bool:
    """Set limits on all signals of a patch set, and return whether some failed."""
    from ..fitting import limits

    if arguments.patch is not None:
        raise InputError("--patch is about one signal and --patchset about many: give one of them")
    if arguments.at_once < 1:
        raise InputError(f"--at-once must be at least 1, got {arguments.at_once}")
    result = limits(
        arguments.workspace,
        arguments.patchset,
        at_once=arguments.at_once,
        output=arguments.output,
        overwrite=arguments.overwrite,
        watch=watch,
        **common,
    )
    console.print(result.table())
    if result.failed:
        told = ", ".join(result.failed[:5])
        console.print(f"{len(result.failed)} of {len(result.names)} fits failed: {told}")
    return bool(result.failed)


def _held(text: str) -> tuple[str, float | None]:
    """Return name and value of a parameter to hold; names may contain equals signs."""
    name, _, value = text.rpartition("=")
    if not name:
        return text, None
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected NAME or NAME=VALUE with a number, got {text!r}") from None
