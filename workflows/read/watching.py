"""How far the reading has come, on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from .reader import ReadProgress, ReadWatcher


@contextlib.contextmanager
def watching(console: Console) -> Iterator[ReadWatcher | None]:
    """Yield a watcher that keeps one line of a terminal up to date; none when there is no terminal, or it is quiet."""
    if console.quiet or not console.is_terminal:
        yield None
        return
    with console.status("reading") as status:
        # as text, because the name of a sample may look like markup
        yield lambda reading: status.update(Text(as_line(reading)))


def as_line(reading: ReadProgress) -> str:
    """Return how far the reading has come, in words.

    Examples
    --------
    >>> from hepgrad.workflows.read.reader import ReadProgress
    >>> from hepgrad.workflows.read.watching import as_line
    >>> as_line(ReadProgress("ttbar", files=5, done=2, events=12500))
    'reading ttbar: 2 of 5 files, 12,500 events'
    """
    return f"reading {reading.sample}: {reading.done} of {reading.files} files, {reading.events:,} events"
