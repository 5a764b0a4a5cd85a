"""What run folders, caches and messages never tell: tokens and user names in URLs, the user's name in paths."""

from __future__ import annotations

import getpass
import os
import re
from pathlib import Path

_URL = re.compile(r"\b(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>[^\s\"'<>]+?)(?=[.,:;)\]]*(?:[\s\"'<>]|$))")
_USER = "$USER"


def redacted(text: str) -> str:
    """Return a text in whose URLs user names, passwords and everything after the question mark are left out.

    Examples
    --------
    >>> from hepgrad.workflows.messages.redaction import redacted
    >>> redacted("https://alice:secret@host.example/a.root?token=1: not found")
    'https://host.example/a.root?...: not found'
    >>> redacted("/data/a.root"), redacted("root://eos.example//store/a.root")
    ('/data/a.root', 'root://eos.example//store/a.root')
    """
    return _URL.sub(_without_secrets, text)


def _without_secrets(url: re.Match[str]) -> str:
    rest, has_query, _ = url["rest"].partition("?")
    rest, has_fragment, _ = rest.partition("#")
    host, slash, path = rest.partition("/")
    return f"{url['scheme']}://{host.rpartition('@')[2]}{slash}{path}{'?...' if has_query or has_fragment else ''}"


def portable(path: str | Path) -> str:
    """Return a path as a run folder may tell it: the home folder as ``~``, the user's name elsewhere as ``$USER``.

    `located` is the inverse.
    """
    text = redacted(str(path))
    try:
        home, user = str(Path.home()), getpass.getuser()
    except (KeyError, OSError, RuntimeError):  # an account without a name or a home
        return text
    if text == home or text.startswith(f"{home}/"):
        text = f"~{text[len(home) :]}"
    return "/".join(_USER if part == user else part for part in text.split("/"))


def located(path: str | Path) -> Path:
    """Return the path that `portable` told, for the user who asks.

    It may begin with ``~``, and have parts that are ``$USER``.

    Examples
    --------
    >>> from hepgrad.workflows.messages.redaction import located
    >>> located("events/a").as_posix()
    'events/a'
    """
    parts = os.path.expanduser(str(path)).split("/")
    return Path("/".join(getpass.getuser() if part == _USER else part for part in parts))
