"""Progress of an optimisation, as a bar on a terminal and in a notebook, and as a few lines elsewhere."""

from __future__ import annotations

import contextlib
import html
import importlib
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
# seconds between two pictures of a bar in a notebook
PAUSE = 0.2


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
        self._console, self._merit, self._clock = console, merit, _Clock()

    def __call__(self, record: StepRecord, steps: int) -> None:
        """Print a line, or not; the arguments are those of a watcher of `optimize`."""
        done, left = record.step + 1, self._clock.left(record.step, steps)
        # a line where the share of finished steps passes a multiple of a tenth
        if done < steps and done * LINES // steps == record.step * LINES // steps:
            return
        self._console.print(
            f"step {done} of {steps}  {_status(record, self._merit)}  {left:.0f} s left", highlight=False
        )


class NotebookBar:
    """A watcher of `optimize` that draws a bar below the cell of a notebook, and draws over it from then on."""

    def __init__(self, steps: int, merit: Merit) -> None:
        # what runs a notebook has it
        display = importlib.import_module("IPython.display").display
        self._merit, self._steps, self._clock, self._drawn, self._done = merit, steps, _Clock(), -math.inf, 0
        self._handle = display(self._picture("evaluating the start"), raw=True, display_id=True)

    def __call__(self, record: StepRecord, steps: int) -> None:
        """Advance to a step; the arguments are those of a watcher of `optimize`."""
        self._done, self._steps, left = record.step + 1, steps, self._clock.left(record.step, steps)
        if self._done < steps and time.monotonic() - self._drawn < PAUSE:
            return
        self.tell(f"step {self._done} of {steps}  {_status(record, self._merit)}  {left:.0f} s left")

    def tell(self, text: str) -> None:
        """Write a text beside the bar."""
        self._drawn = time.monotonic()
        self._handle.update(self._picture(text), raw=True)

    def _picture(self, text: str) -> dict[str, str]:
        bar = f'<progress style="width: 20em" max="{self._steps}" value="{self._done}"></progress>'
        return {"text/plain": text, "text/html": f"{bar} {html.escape(text)}"}


class _Clock:
    """How long the steps take; what comes before the first of them is mostly compilation."""

    def __init__(self) -> None:
        self._first, self._began, self._last = 0, 0.0, math.inf

    def left(self, step: int, steps: int) -> float:
        """Return how many seconds there are left after a step."""
        if step <= self._last:
            # a descent begins, or a resumed one goes on
            self._first, self._began = step, time.monotonic()
        self._last = step
        return (time.monotonic() - self._began) / max(step - self._first, 1) * (steps - step - 1)


def _status(record: StepRecord, merit: Merit) -> str:
    return f"{merit.short} {merit.of(record.objective):.3f}  width {record.width:.2f}"


@contextlib.contextmanager
def progress(
    console: Console, steps: int, merit: Merit
) -> Iterator[Sequence[ProgressBar | NotebookBar | ProgressLines]]:
    """Yield the watchers that show the progress on a console: none when it is quiet.

    There is a bar when it is a terminal or a notebook. All tell of programs that are compiled in between.
    """
    if console.quiet:
        yield ()
    elif console.is_jupyter:
        below = NotebookBar(steps, merit)
        with compilations(below.tell):
            yield (below,)
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
