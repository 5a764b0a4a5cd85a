"""What `run` returns: the result, and the folder that it was written to, for plots and the report in a notebook."""

from __future__ import annotations

import dataclasses
import html
from pathlib import Path

from matplotlib.figure import Figure

from hepgrad.analysis import Result

from .errors import InputError
from .reporting.channel import plot_channel
from .reporting.style import plot_style
from .reporting.subject import Subject
from .results import file_names
from .results.stored_result import StoredResult


@dataclasses.dataclass(frozen=True)
class Page:
    """A page on disk, which notebooks show.

    Attributes
    ----------
    path
        The file.
    """

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str:
        content = html.escape(self.path.read_text(encoding="utf-8"))
        return f'<iframe srcdoc="{content}" style="width: 100%; height: 50rem; border: 0"></iframe>'


@dataclasses.dataclass(frozen=True, repr=False)
class RunResult(Result):
    """A result with the folder of its run.

    Attributes
    ----------
    folder
        Path of the run folder.
    """

    folder: Path = dataclasses.field(kw_only=True)

    @classmethod
    def of(cls, result: Result, folder: Path) -> RunResult:
        """Return a result with the folder that it was written to.

        Parameters
        ----------
        result
            What the optimisation found.
        folder
            Of its run.
        """
        told = {field.name: getattr(result, field.name) for field in dataclasses.fields(Result)}
        return cls(**told, folder=folder)

    def plot(self, channel: str = "") -> Figure:
        """Draw a channel before and after the optimisation, as in the report.

        Parameters
        ----------
        channel
            Its name; by default the first one.

        Raises
        ------
        InputError
            When there is no such channel, or the folder is gone.
        """
        subject = Subject.read(self.folder)
        channels = {each.name: each for each in subject.channels}
        if channel and channel not in channels:
            raise InputError(f"there is no channel {channel!r}; there are {', '.join(channels)}")
        shown = channels[channel] if channel else subject.channels[0]
        with plot_style(subject.experiment):
            return plot_channel(self, subject, shown, StoredResult.read(self.folder).observation)

    def report(self) -> Page:
        """Return the report, which a notebook shows.

        Raises
        ------
        InputError
            When there is none.
        """
        page = Page(self.folder / file_names.REPORT)
        if not page.path.exists():
            raise InputError(f"there is no {page.path}; `hepgrad report {self.folder}` makes it")
        return page
