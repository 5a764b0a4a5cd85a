"""The report of a run: plots, tables, and one HTML page that holds them all."""

from __future__ import annotations

from .footnotes import notes
from .page import write_report
from .remake import remake_report, replaced_by_report, report
from .subject import Subject

__all__ = [
    "Subject",
    "notes",
    "remake_report",
    "replaced_by_report",
    "report",
    "write_report",
]


def __dir__() -> list[str]:
    return __all__
