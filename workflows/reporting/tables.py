"""Tables as HTML."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table

from hepgrad.analysis.selection.cutflow import Tally

RIGHT = " class='right'"
# the column whose cells are names of processes
PROCESS = "process"
_SYMBOLS = {"to": "→", "rightarrow": "→", "ell": "\u2113", "pm": "±", "gamma": "γ", "quad": " "}
_ACCENTS = {"bar": "\u0304", "overline": "\u0304", "tilde": "\u0303", "hat": "\u0302"}


def html_table(table: Table, labels: Mapping[str, str] | None = None) -> str:
    """Return a table of rich as HTML.

    Cells hold plain text. With ``labels`` of processes, these stand for their names, in the columns that are called
    "process" and as titles of columns.
    """
    labels = labels or {}
    sides = [RIGHT if column.justify == "right" else "" for column in table.columns]
    names = [str(column.header) for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    bold = [row.style == "bold" for row in table.rows]
    header = [labels.get(name) or as_html(name) for name in names]
    body = [
        [
            (name == PROCESS and labels.get(str(cell))) or as_html(str(cell))
            for name, cell in zip(names, row, strict=True)
        ]
        for row in rows
    ]
    return _html_table(str(table.title or ""), header, body, sides, bold)


def as_html(text: str) -> str:
    """Return plain text as HTML.

    ``+-`` in it stands for plus or minus.
    """
    return html.escape(text).replace("+-", "&plusmn;")


def label_html(label: str, name: str) -> str:
    r"""Return the label of a process as HTML: TeX between dollar signs as text, or the name where that is not possible.

    Examples
    --------
    >>> from hepgrad.workflows.reporting.tables import label_html
    >>> label_html(r"$Z\to\tau_{h}\mu$ & jets", "z"), label_html(r"$\frac{1}{2}$", "half")
    ('Z→τ<sub>h</sub>μ &amp; jets', 'half')
    """
    parts = html.escape(label, quote=False).split("$")
    told = [_from_tex(part) if place % 2 else part for place, part in enumerate(parts)]
    understood = len(parts) % 2 and not any(set(part) & set("\\{}^_") for part in told[1::2])
    return "".join(told) if understood else html.escape(name)


def _from_tex(tex: str) -> str:
    """Return TeX as HTML as far as labels of processes go; what is not understood keeps its backslash."""

    def symbol(found: re.Match[str]) -> str:
        name = found[1]
        case = "CAPITAL" if name[0].isupper() else "SMALL"
        try:
            return _SYMBOLS.get(name) or unicodedata.lookup(f"GREEK {case} LETTER {name.upper()}")
        except KeyError:
            return found[0]

    tex = re.sub(r"\\(?:mathrm|mathit|mathbf|text|rm)\s*\{([^{}]*)\}", r"\1", tex)
    tex = re.sub(r"\\(bar|overline|tilde|hat)\s*(?:\{(\w)\}|\s(\w))", lambda m: (m[2] or m[3]) + _ACCENTS[m[1]], tex)
    tex = re.sub(r"\\([A-Za-z]+)\s*", symbol, tex)
    for mark, tag in (("_", "sub"), ("\\^", "sup")):
        tex = re.sub(rf"{mark}(?:\{{([^{{}}]*)\}}|(\S))", rf"<{tag}>\1\2</{tag}>", tex)
    return re.sub(r"\\[,;: !]|~", " ", tex)


def html_tally(title: str, steps: Sequence[str], tally: Tally, processes: Sequence[str]) -> str:
    """Return counted events as an HTML table, one column per process, whose labels are HTML."""
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
    """Return a table, which scrolls where it is wider than the screen; its cells are HTML already."""
    head = "".join(f"<th{side}>{name}</th>" for name, side in zip(header, sides, strict=True))
    lines = [
        f"<tr{' class=bold' if strong else ''}>"
        + "".join(f"<td{side}>{cell}</td>" for cell, side in zip(row, sides, strict=True))
        + "</tr>"
        for row, strong in zip(body, bold, strict=True)
    ]
    caption = f"<caption>{html.escape(title)}</caption>"
    table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>\n{chr(10).join(lines)}\n</tbody></table>"
    return f"<div class='wide'>{table}</div>"
