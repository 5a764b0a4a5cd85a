"""Tables as text."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table


def as_text(*tables: Table, width: int = 100) -> str:
    """Return tables as they would be printed to a terminal without colours.

    Parameters
    ----------
    *tables
        One below the other.
    width
        Of the terminal, in characters.
    """
    buffer = io.StringIO()
    # names are text, whatever brackets stand in them
    console = Console(file=buffer, width=width, markup=False, emoji=False)
    for table in tables:
        console.print(table)
    return buffer.getvalue().rstrip("\n")
