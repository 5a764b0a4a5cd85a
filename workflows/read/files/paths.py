"""Paths of files: one, a glob, or several of either."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from ...errors import InputError

# a path, a glob or a URL
PathLike: TypeAlias = str | Path


def is_remote(path: str) -> bool:
    """Return whether a path is a URL.

    Parameters
    ----------
    path
        A path or URL.
    """
    return "://" in path


def expanded(paths: PathLike | Sequence[PathLike]) -> list[str]:
    """Return the files that are meant, each glob replaced by what it matches, in alphabetical order.

    Parameters
    ----------
    paths
        A path, a glob (with ``*``, ``?`` or ``[...]``; ``**`` also looks into folders) or a URL, or several of them.

    Raises
    ------
    InputError
        When a glob matches nothing, or there is no path at all.

    Examples
    --------
    >>> from hepgrad.workflows.read.files.paths import expanded
    >>> expanded(["a.root", "https://host.example/b.root?token=1"])
    ['a.root', 'https://host.example/b.root?token=1']
    """
    every = [paths] if isinstance(paths, str | Path) else list(paths)
    if not every:
        raise InputError("expected at least one file, got an empty list")
    return [file for path in every for file in _matches(str(path))]


def _matches(path: str) -> list[str]:
    if is_remote(path) or not glob.has_magic(path) or Path(path).exists():
        return [path]
    found = sorted(glob.glob(path, recursive=True))
    if not found:
        raise InputError(f"no file matches {path}")
    return found
