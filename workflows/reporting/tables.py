"""Tables as HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np
from rich.table import Table

from hepgrad.analysis.selection.cutflow import Tally

RIGHT = " class='right'"


def html_table(table: Table) -> str:
    """Return a table of rich as HTML.

    Cells hold plain text.
    """
    sides = [RIGHT if column.justify == "right" else "" for column in table.columns]
    header = [str(column.header) for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    bold = [row.style == "bold" for row in table.rows]
    body = [[as_html(str(cell)) for cell in row] for row in rows]
    return _html_table(str(table.title or ""), header, body, sides, bold)


def as_html(text: str) -> str:
    """Return plain text as HTML.

    ``+-`` in it stands for plus or minus.
    """
    return html.escape(text).replace("+-", "&plusmn;")


def html_tally(title: str, steps: Sequence[str], tally: Tally, processes: Sequence[str]) -> str:
    """Return counted events as an HTML table, one column per process."""
    numbers = [np.asarray(part, float) for part in (tally.yields, np.sqrt(np.asarray(tally.variance)), tally.raw)]
    body = [
        [html.escape(step), *(_counted(*(part[s, p] for part in numbers)) for p in range(len(processes)))]
        for s, step in enumerate(steps)
    ]
    sides = ["", *[RIGHT] * len(processes)]
    return _html_table(title, ["step", *processes], body, sides, [False] * len(body))


def _counted(weighted: float, uncertainty: float, raw: float) -> str:
    # two significant digits of the uncertainty, but no rounding of whole events
    digits = max(0, 1 - math.floor(math.log10(uncertainty))) if uncertainty > 0 else 1
    return f"{weighted:,.{digits}f} &plusmn; {uncertainty:,.{digits}f} <small>({raw:.0f})</small>"


def _html_table(
    title: str, header: Sequence[str], body: Sequence[Sequence[str]], sides: Sequence[str], bold: Sequence[bool]
) -> str:
    """Return a table, which scrolls where it is wider than the screen; the cells of the body are HTML already."""
    head = "".join(f"<th{side}>{as_html(name)}</th>" for name, side in zip(header, sides, strict=True))
    lines = [
        f"<tr{' class=bold' if strong else ''}>"
        + "".join(f"<td{side}>{cell}</td>" for cell, side in zip(row, sides, strict=True))
        + "</tr>"
        for row, strong in zip(body, bold, strict=True)
    ]
    caption = f"<caption>{html.escape(title)}</caption>"
    table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>\n{chr(10).join(lines)}\n</tbody></table>"
    return f"<div class='wide'>{table}</div>"
