"""What an examination found: findings in words, with what to do about them."""

from __future__ import annotations

import dataclasses
import enum

from rich.table import Table

from ..printing import as_text


class Severity(enum.IntEnum):
    """How bad a finding is."""

    NOTE = 1
    """Worth knowing, perhaps intended."""
    WARNING = 2
    """The optimisation runs, and its result may be worse than it could be."""
    ERROR = 3
    """The optimisation fails, or its result means nothing."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that an examination found.

    Attributes
    ----------
    severity
        How bad it is.
    subject
        What it is about: a parameter, a branch, a selection, a channel, a process.
    what
        What was found, with numbers.
    why
        Why it matters.
    advice
        What to do.
    """

    severity: Severity
    subject: str
    what: str
    why: str
    advice: str


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """All findings of an examination, the worst first; prints itself.

    Attributes
    ----------
    findings
        Worst first.
    examined
        What was looked at.

    Examples
    --------
    >>> from hepgrad.analysis.doctor import Diagnosis
    >>> print(Diagnosis((), examined=("columns", "weights")))
    nothing found (looked at columns, weights)
    """

    findings: tuple[Finding, ...]
    examined: tuple[str, ...]

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding; None when there is none."""
        return max((finding.severity for finding in self.findings), default=None)

    def table(self) -> Table:
        """Return the findings as a table."""
        title = f"{len(self.findings)} findings (looked at {', '.join(self.examined)})"
        table = Table(title=title, title_justify="left", show_lines=True)
        for column in ("severity", "about", "what", "why it matters", "what to do"):
            table.add_column(column)
        for f in self.findings:
            style = "bold" if f.severity is Severity.ERROR else None
            table.add_row(f.severity.name.lower(), f.subject, f.what, f.why, f.advice, style=style)
        return table

    def __rich__(self) -> Table | str:
        return self.table() if self.findings else f"nothing found (looked at {', '.join(self.examined)})"

    def __str__(self) -> str:
        shown = self.__rich__()
        return shown if isinstance(shown, str) else as_text(shown, width=140)
