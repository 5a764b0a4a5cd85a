"""Workflows that make their own events, whose answer is a table beside published numbers."""

from __future__ import annotations

import abc
import copy
import dataclasses
import io
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from rich import box
from rich.table import Table

from ...defaults import RUNS
from ...execution import run_facts
from ...files.lock import locked
from ...messages.terminal import Console
from ...results import file_names
from ...results.run_folder import RunFolder
from ...scanning.search import Contest


@dataclasses.dataclass(frozen=True)
class Findings:
    """What a study found.

    Attributes
    ----------
    tables
        For people: our numbers beside the published ones.
    numbers
        The same for programs, as JSON can hold it.
    history
        One row for each report of a training, each with the keys of the first.
    files
        What else belongs into the run folder, by file name, as JSON can hold it.
    """

    tables: Sequence[Table]
    numbers: dict[str, Any]
    history: Sequence[dict[str, str | float]]
    files: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study(abc.ABC):
    """A benchmark of the literature: its events are drawn at random, not read.

    Attributes
    ----------
    name
        Short name, for the command line and folders.
    title
        One line, for people.
    steps
        Of the optimisation.
    seed
        Of everything that is drawn: events, the network's start, batches.
    """

    name: str
    title: str
    steps: int
    seed: int = 0

    @abc.abstractmethod
    def measure(self, console: Console) -> Findings:
        """Draw events, optimise, and evaluate on other events.

        Parameters
        ----------
        console
            Where progress is told.
        """

    @abc.abstractmethod
    def contest(self) -> Contest:
        """Return what a search without gradients competes in: the same events, other weights of the same network."""

    def run(self, *, output: str | Path | None = None, overwrite: bool = False, quiet: bool = False) -> Findings:
        """Measure, print the tables and write a run folder.

        The folder holds ``tables.md``, ``result.json``, ``history.csv``, and ``run.json`` with the settings. Statistics
        are computed in float64 when x64 is enabled (``jax.enable_x64(True)`` as a context around this call, as the
        command line does), and in float32 otherwise; events and networks are float32 either way.

        Parameters
        ----------
        output
            The run folder, ``hepgrad-runs/NAME`` by default.
        overwrite
            Whether an earlier run there may be replaced.
        quiet
            Print nothing.

        Raises
        ------
        InputError
            When the output folder cannot be used.
        FloatingPointError
            When a number is NaN or infinite.
        FitError
            When a fit does not converge.
        """
        output = RUNS / self.name if output is None else Path(output)
        console = Console(quiet=quiet)
        started = time.monotonic()
        RunFolder.check(output, overwrite=overwrite)
        with locked(output):
            console.print(self.title)
            findings = self.measure(console)
            if wrong := _not_finite(findings.numbers, ""):
                raise FloatingPointError(
                    f"{self.name}: {wrong[0]} is NaN or infinite, there is no result; try another seed, or more steps"
                )
            folder = RunFolder.create(output, overwrite=overwrite)
            folder.write_text(file_names.TABLES, as_markdown(findings.tables))
            folder.write_json(file_names.RESULT, findings.numbers)
            for name, content in findings.files.items():
                folder.write_json(name, content)
            columns = list(findings.history[0])
            folder.write_csv(file_names.HISTORY, columns, ([row[name] for name in columns] for row in findings.history))
            settings = {
                "workflow": self.name,
                "settings": dataclasses.asdict(self),
                "precision": {"events": "float32", "statistics": jnp.result_type(float).name},
            }
            folder.finish(run_facts(settings, self.title, time.monotonic() - started))
        console.print(*findings.tables, sep="\n")
        console.print(f"the tables are in {folder.path / file_names.TABLES}", soft_wrap=True)
        return findings


def _not_finite(numbers: Any, place: str) -> list[str]:
    """Return the places of numbers that are NaN or infinite, such as ``rows.0.cls``."""
    if isinstance(numbers, float):
        return [] if math.isfinite(numbers) else [place]
    if isinstance(numbers, Mapping):
        inner: Any = numbers.items()
    elif isinstance(numbers, Sequence) and not isinstance(numbers, str):
        inner = enumerate(numbers)
    else:
        return []
    return [wrong for key, value in inner for wrong in _not_finite(value, f"{place}.{key}".lstrip("."))]


def as_markdown(tables: Sequence[Table]) -> str:
    """Return tables in Markdown, their titles as headings.

    Examples
    --------
    >>> from rich.table import Table
    >>> from hepgrad.workflows.studies.study.study import as_markdown
    >>> table = Table("network", "sigma", title="Benchmark 2")
    >>> table.add_row("ours", "16.9")
    >>> print(as_markdown([table]))
    ## Benchmark 2
    <BLANKLINE>
    | network | sigma |
    |---------|-------|
    | ours    | 16.9  |
    <BLANKLINE>
    """
    console = Console(file=io.StringIO(), width=300)
    parts = []
    for table in tables:
        plain = copy.copy(table)
        plain.title, plain.box = None, box.MARKDOWN
        with console.capture() as text:
            console.print(plain)
        parts += [f"## {table.title}", "\n".join(filter(None, map(str.strip, text.get().splitlines())))]
    return "\n\n".join(parts) + "\n"
