"""Paths of files: one, a glob, or several of either."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from ...errors import InputError

# a path, a glob or a URL
PathLike: TypeAlias = str | Path


def is_remote(path: str) -> bool:
    """Return whether a path is a URL."""
    return "://" in path


def is_xrootd(path: str) -> bool:
    """Return whether a path is an address on an XRootD server."""
    return path.lower().startswith(("root://", "roots://"))


def patience(path: str) -> dict[str, int]:
    """Return the options of fsspec by which a server is not waited for longer than 30 s.

    The client of XRootD alone would wait for half an hour; it looks at the clock every 15 s.

    Examples
    --------
    >>> from hepgrad.workflows.read.files.paths import patience
    >>> patience("root://eos.example//store/a.root"), patience("s3://host.example/a.root")
    ({'timeout': 30}, {})
    """
    return {"timeout": 30} if is_xrootd(path) else {}


def is_web(path: str) -> bool:
    """Return whether a path is an address on a web server."""
    return path.lower().startswith(("http://", "https://"))


def expanded(paths: PathLike | Sequence[PathLike], where: str = "") -> list[str]:
    """Return the files that are meant, each glob replaced by what it matches, in alphabetical order.

    A glob has ``*``, ``?`` or ``[...]``; ``**`` also looks into folders. ``where`` they are listed begins messages.
    Raises `InputError` when a glob matches nothing, or there is no path at all.

    Examples
    --------
    >>> from hepgrad.workflows.read.files.paths import expanded
    >>> expanded(["a.root", "https://host.example/b.root?token=1"])
    ['a.root', 'https://host.example/b.root?token=1']
    """
    every = [paths] if isinstance(paths, str | Path) else list(paths)
    if not every:
        raise InputError("expected at least one file, got an empty list")
    return [file for path in every for file in _matches(str(path), where)]


def check_distinct(paths: Sequence[str], where: str) -> None:
    """Raise an error when a file is there twice, under whatever names.

    The error names both.
    """
    first: dict[str, str] = {}
    for path in paths:
        name = identity(path)
        if (known := first.get(name)) is not None:
            both = f"{path} twice" if known == path else f"{known} and {path}, which are the same file"
            raise InputError(f"{where}: {both}, so that its events would count twice; list it once")
        first[name] = path


def identity(path: str) -> str:
    """Return what two names of one file have in common: links, relative paths and spellings of a URL are seen through.

    Examples
    --------
    >>> from hepgrad.workflows.read.files.paths import identity
    >>> identity("https://HOST.example:443/a//b%2Eroot") == identity("http://host.example/a/b.root")
    True
    """
    if path.startswith("file:"):
        path = unquote(urlsplit(path).path)
    if not is_remote(path):
        try:
            about = os.stat(path)
        except (OSError, ValueError):
            return os.path.realpath(path) if "\0" not in path else path
        return f"{about.st_dev}:{about.st_ino}"
    try:
        url = urlsplit(path)
        scheme = {"https": "http", "roots": "root"}.get(url.scheme.lower(), url.scheme.lower())
        port = "" if url.port in (None, 80, 443, 1094) else f":{url.port}"
    except ValueError:
        return path
    parts = [part for part in unquote(url.path).split("/") if part not in ("", ".")]
    return f"{scheme}://{(url.hostname or '').lower()}{port}/{'/'.join(parts)}?{url.query}"


def _matches(path: str, where: str) -> list[str]:
    if is_remote(path) or not glob.has_magic(path) or Path(path).exists():
        return [path]
    found = sorted(glob.glob(path, recursive=True))
    if not found:
        raise InputError(f"{where}no file matches {path}; correct the pattern, or put files there")
    return found
