"""Files of a folder that anybody may have changed: JSON, and tables whose cells no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from ..errors import InputError

# what makes a spreadsheet compute a cell
FORMULA = ("=", "+", "-", "@", "\t", "\r")
QUOTE = "'"


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises `FileNotFoundError` when it is not there, `InputError` when it is no file, which might wait for ever, or no
    text.
    """
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    try:
        # with its line breaks as they are
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises `FileNotFoundError` or `InputError` as from `read_text`, and when it is no JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # also for a number of thousands of digits
        raise InputError(f"{path} is not JSON: {error}") from error


def write_table(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table with commas between columns, whose texts no spreadsheet takes for formulas.

    Examples
    --------
    >>> import sys
    >>> from hepgrad.workflows.files.stored_files import write_table
    >>> write_table(sys.stdout, ["step", "change"], [["=2 jets", -0.5]])
    step,change
    '=2 jets,-0.5
    """
    minimal, quoting = (
        csv.writer(file, lineterminator="\n", quoting=how) for how in (csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC)
    )
    for row in (header, *rows):
        cells = list(map(_harmless, row))
        # a lone carriage return ends a line for those who read, but is not quoted for that
        (quoting if any(isinstance(cell, str) and "\r" in cell for cell in cells) else minimal).writerow(cells)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the lines of a table that `write_table` wrote, as dictionaries.

    Raises `FileNotFoundError` or `InputError` as from `read_text`, and when it is no such table.
    """
    try:
        header, *rows = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
        titles = [_meant(cell) for cell in header]
        return [dict(zip(titles, map(_meant, row), strict=True)) for row in rows]
    except (csv.Error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a table with commas between columns: {error}") from error


def _harmless(cell: Any) -> Any:
    # one that begins with the quote as well, so that `_meant` finds back
    return f"{QUOTE}{cell}" if isinstance(cell, str) and cell.startswith((*FORMULA, QUOTE)) else cell


def _meant(cell: str) -> str:
    return cell.removeprefix(QUOTE)
