"""The report of a run: plots, tables, and one HTML page that holds them all."""

from __future__ import annotations

from .footnotes import notes as notes
from .page import write_report as write_report
from .remake import remake_report as remake_report
from .remake import replaced_by_report as replaced_by_report
from .subject import Subject as Subject
