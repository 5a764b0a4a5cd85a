"""Progress of an optimisation, as a bar on a terminal and as a few lines elsewhere."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from hepgrad.analysis import StepRecord
from hepgrad.analysis.statistics.objectives import Merit

from .compilations import Compilations, compilations

# how many lines a whole run prints when there is no terminal
LINES = 10


class ProgressBar:
    """A watcher of `optimize` that draws a bar.

    The bar of rich is started.
    """

    def __init__(self, bar: Progress, steps: int, merit: Merit) -> None:
        self._bar = bar
        self._merit = merit
        self._task = bar.add_task("evaluating the start", total=steps, status="")

    def __call__(self, record: StepRecord, steps: int) -> None:
        """Advance to a step; the arguments are those of a watcher of `optimize`."""
        status = _status(record, self._merit)
        self._bar.update(self._task, description="optimising", total=steps, completed=record.step + 1, status=status)


class Doing(ProgressColumn):
    """What is done: steps, or the compilation that they wait for."""

    def __init__(self, programs: Compilations) -> None:
        super().__init__(Column(min_width=24, no_wrap=True))
        self._programs = programs

    def render(self, task: Task) -> Text:
        """Return it in words; the argument is that of every column."""
        return Text(self._programs.told() or task.description)


class ProgressLines:
    """A watcher of `optimize` that prints a line every tenth of the way.

    Examples
    --------
    >>> from rich.console import Console
    >>> from hepgrad.analysis import StepRecord
    >>> from hepgrad.analysis.statistics.objectives import merit
    >>> from hepgrad.workflows.messages.progress import ProgressLines
    >>> lines = ProgressLines(Console(width=80), merit("discovery"))
    >>> for step in range(4):
    ...     lines(StepRecord(step, 2.5, 0.1, 2.4, {}), 4)
    step 1 of 4  significance 2.500  width 0.10  0 s left
    step 2 of 4  significance 2.500  width 0.10  0 s left
    step 3 of 4  significance 2.500  width 0.10  0 s left
    step 4 of 4  significance 2.500  width 0.10  0 s left
    """

    def __init__(self, console: Console, merit: Merit) -> None:
        self._console, self._merit = console, merit
        self._first, self._began, self._last = 0, 0.0, math.inf

    def __call__(self, record: StepRecord, steps: int) -> None:
        """Print a line, or not; the arguments are those of a watcher of `optimize`."""
        done = record.step + 1
        if record.step <= self._last:
            # a descent begins, or a resumed one goes on; what came before its first step is mostly compilation
            self._first, self._began = record.step, time.monotonic()
        self._last = record.step
        # a line where the share of finished steps passes a multiple of a tenth
        if done < steps and done * LINES // steps == record.step * LINES // steps:
            return
        left = (time.monotonic() - self._began) / max(record.step - self._first, 1) * (steps - done)
        self._console.print(
            f"step {done} of {steps}  {_status(record, self._merit)}  {left:.0f} s left",
            highlight=False,
        )


def _status(record: StepRecord, merit: Merit) -> str:
    return f"{merit.short} {merit.of(record.objective):.3f}  width {record.width:.2f}"


@contextlib.contextmanager
def progress(console: Console, steps: int, merit: Merit) -> Iterator[Sequence[ProgressBar | ProgressLines]]:
    """Yield the watchers that show the progress on a console: none when it is quiet.

    There is a bar when it is a terminal. Both tell of programs that are compiled in between.
    """
    if console.quiet:
        yield ()
    elif not console.is_terminal:
        with compilations(lambda line: console.print(line, highlight=False)):
            yield (ProgressLines(console, merit),)
    else:
        with compilations() as programs:
            columns = (
                Doing(programs),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[status]}", markup=False),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=console) as bar:
                yield (ProgressBar(bar, steps, merit),)
