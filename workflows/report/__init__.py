"""The report of a run: plots, tables, and one HTML page that holds them all."""

from __future__ import annotations

from .page import write_report as write_report
