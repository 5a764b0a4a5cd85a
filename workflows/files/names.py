"""Names that become names of files, of folders in files, and of columns: those that could not are refused at once."""

from __future__ import annotations

import keyword
from collections.abc import Iterable

from hepgrad.analysis import Parameters

LONGEST = 100
# it divides the names of histograms, the paths of files, and what ROOT calls another cycle of an object
FORBIDDEN = "/\\;:"


def check_names(where: str, what: str, names: Iterable[str]) -> None:
    """Refuse names that could not be those of histograms and files, before anything is read.

    Raises `ValueError` for a name that is empty, long, has a slash, a semicolon or a character that cannot be seen, or
    differs from another one in nothing but small and capital letters.

    Examples
    --------
    >>> from hepgrad.workflows.files.names import check_names
    >>> check_names("workflow 'a'", "process", ["ttbar", "Z/gamma"])
    Traceback (most recent call last):
    ValueError: workflow 'a': 'Z/gamma' cannot be the name of a process, because '/' divides the names of ...
    """
    known: dict[str, str] = {}
    for name in names:
        reason = _fault(name)
        if reason is None and (other := known.setdefault(name.casefold(), name)) != name:
            reason = f"another one is called {other!r}, and some file systems do not tell them apart"
        if reason is not None:
            raise ValueError(f"{where}: {name!r} cannot be the name of a {what}, because {reason}")


def _fault(name: object) -> str | None:
    """Return what is wrong with a name."""
    if not isinstance(name, str):
        return f"it is a {type(name).__name__}, not text"
    if not name.strip(". "):
        return "there is nothing in it that could be seen"
    if len(name) > LONGEST or len(name.encode("utf-8", "replace")) > 1.5 * LONGEST:
        return f"it is longer than {LONGEST} characters; put what it says into a label or a title"
    for character in name:
        if character in FORBIDDEN:
            return f"{character!r} divides the names of files and histograms; put it into a label"
        if not character.isprintable():
            return f"it holds {character!r}, which cannot be seen"
    return "it begins or ends with a space" if name != name.strip() else None


def check_parameters(where: str, parameters: Parameters) -> None:
    """Refuse names of parameters that a stage could not write as ``cut.name``.

    Raises `ValueError` for a name that is no identifier of Python, or a long one.
    """
    for name in parameters:
        if not name.isidentifier() or keyword.iskeyword(name) or len(name) > LONGEST:
            raise ValueError(
                f"{where}: {name!r} cannot be the name of a parameter, because no stage could write cut.{name}; take "
                f"letters, digits and underscores, at most {LONGEST}"
            )
