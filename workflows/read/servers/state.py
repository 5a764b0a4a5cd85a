"""By what a change of a file would be noticed: its size and the time of its last change, or what its server tells."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec

from ...messages.redaction import redacted
from ..files.paths import is_remote, is_web, patience

# what other servers than those of the web call the state of a file; the first one they tell is used
STATES = ("ETag", "etag", "mtime", "Last-Modified", "LastModified")


def state_of(file: str) -> dict[str, Any] | None:
    """Return the state of a file as JSON can hold it; None when it is not there, or its server does not tell."""
    try:
        if is_web(file):
            from .web import web_state

            found = web_state(file)
            told = found.tag or found.time
            return {**_named(file), "bytes": found.size, "state": told} if told else None
        if is_remote(file) and not file.startswith("file:"):
            system, path = fsspec.core.url_to_fs(file, **patience(file))
            about = system.info(path)
            state = next((str(about[name]) for name in STATES if about.get(name)), None)
            return {**_named(file), "bytes": about["size"], "state": state} if state else None
        local = Path(unquote(urlsplit(file).path) if is_remote(file) else file)
        status = local.stat()
        return {"path": str(local.resolve()), "bytes": status.st_size, "state": str(status.st_mtime_ns)}
    except Exception:  # file systems raise what they like; the reader says what is wrong with the file
        return None


def _named(url: str) -> dict[str, str]:
    """Return what identifies a file: tokens belong into no file, a digest tells those apart that differ in one."""
    if redacted(url) == url:
        return {"path": url}
    return {"path": redacted(url), "url": hashlib.sha256(url.encode()).hexdigest()[:24]}
