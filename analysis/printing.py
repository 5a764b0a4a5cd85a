"""Tables as text, and as HTML for notebooks."""

from __future__ import annotations

import difflib
import html
import io
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table


def as_text(*tables: Table, width: int = 100) -> str:
    """Return tables as they would be printed to a terminal without colours.

    The width is in characters.
    """
    buffer = io.StringIO()
    # names are text, whatever brackets stand in them
    console = Console(file=buffer, width=width, markup=False, emoji=False)
    for table in tables:
        console.print(table)
    return buffer.getvalue().rstrip("\n")


def as_html(*tables: Table) -> str:
    """Return tables as HTML, one below the other, as notebooks show them.

    Cells hold plain text.

    Examples
    --------
    >>> from rich.table import Table
    >>> from hepgrad.analysis.printing import as_html
    >>> table = Table("process", title="Events")
    >>> table.add_row("a < b")
    >>> as_html(table)
    '<table><caption>Events</caption><thead><tr><th ...>process</th></tr></thead><tbody><tr><td ...>a &lt; b</td>...'
    """
    return "\n".join(map(_html_table, tables))


def _html_table(table: Table) -> str:
    def line(tag: str, cells: list[str], strong: bool = False) -> str:
        sides = ["right" if column.justify == "right" else "left" for column in table.columns]
        weight = "; font-weight: bold" if strong else ""
        told = (
            f'<{tag} style="text-align: {s}{weight}">{html.escape(c)}</{tag}>'
            for s, c in zip(sides, cells, strict=True)
        )
        return f"<tr>{''.join(told)}</tr>"

    rows = zip(*(map(str, column.cells) for column in table.columns), strict=True)
    body = "".join(line("td", list(row), about.style == "bold") for row, about in zip(rows, table.rows, strict=True))
    title = f"<caption>{html.escape(str(table.title))}</caption>" if table.title else ""
    head = line("th", [str(column.header) for column in table.columns])
    return f"<table>{title}<thead>{head}</thead><tbody>{body}</tbody></table>"


def as_names(given: str | Iterable[str]) -> tuple[str, ...]:
    """Return names as a tuple: one text is one name, and not its letters.

    Examples
    --------
    >>> from hepgrad.analysis.printing import as_names
    >>> as_names("zprime"), as_names(["ttbar", "wjets"])
    (('zprime',), ('ttbar', 'wjets'))
    """
    return (given,) if isinstance(given, str) else tuple(given)


def meant(name: str, known: Iterable[str]) -> str:
    """Return a question about a name that there is not, after one that there is; nothing where none is like it.

    Examples
    --------
    >>> from hepgrad.analysis.printing import meant
    >>> meant("btg", ["btag", "pt"]), meant("xyz", ["btag", "pt"])
    ("; did you mean 'btag'?", '')
    """
    close = difflib.get_close_matches(name, [each for each in known if not each.startswith("_")], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
