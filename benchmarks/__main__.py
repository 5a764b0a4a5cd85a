"""The command line: ``python -m benchmarks [NAME] [--size quick|full] [--json FILE] [--append FILE]``."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from . import corrections, official, start, variations
from .runner import as_markdown, benchmarks, run, show

# what is told without a rival
REPORTS = {
    "corrections": corrections.report,
    "official": official.report,
    "start": start.report,
    "variations": variations.report,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one benchmark, or all, print a table and write the numbers."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Time hepgrad and its rivals side by side."
    )
    parser.add_argument(
        "name",
        nargs="?",
        choices=[*benchmarks(), *REPORTS],
        help=f"the benchmark to run; by default all that have rivals, which {', '.join(REPORTS)} are not among",
    )
    parser.add_argument("--size", choices=["quick", "full"], default="full", help="quick takes a tenth of the data")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    parser.add_argument("--append", type=Path, metavar="FILE", help="append a Markdown table to this file")
    parser.add_argument(
        "--workspace", type=Path, action="append", metavar="FILE", help="a pyhf workspace for the benchmark likelihoods"
    )
    options = parser.parse_args(arguments)
    if options.workspace and options.name != "likelihoods":
        parser.error("--workspace belongs to the benchmark likelihoods")
    settings = {"workspaces": options.workspace} if options.workspace else {}
    if options.name in REPORTS:
        found = REPORTS[options.name](options.size, Console())
        if options.json:
            options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        return
    timings, notes = [], []
    tell = functools.partial(Console(stderr=True).print, markup=False, highlight=False)
    for name in [options.name] if options.name else benchmarks():
        for more, remarks in run(name, options.size, tell, **settings):
            timings += more
            notes += remarks
            if options.json:
                rows = [dataclasses.asdict(timing) for timing in timings]
                options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    show(timings, notes, Console())
    if options.append:
        with options.append.open("a", encoding="utf-8") as file:
            file.write(as_markdown(timings))


if __name__ == "__main__":
    main()
