"""Progress of a fit and of what comes with it: a bar on a terminal, a line for each part elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from .likelihood_fit import Watch


@contextlib.contextmanager
def watching(console: Console) -> Iterator[Watch]:
    """Yield a watcher for `fit`.

    There are bars when it is a terminal.
    """
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def watch(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)

        yield watch


class _Lines:
    """Prints a line when a part is done, and how long it took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began: dict[str, float] = {}

    def __call__(self, what: str, done: int, of: int) -> None:
        began = self._began.setdefault(what, time.monotonic())
        if done == of and began >= 0:
            self._began[what] = -1.0
            text = f"{what}: done in {time.monotonic() - began:.1f} s"
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
