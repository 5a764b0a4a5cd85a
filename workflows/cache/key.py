"""What a cached sample depends on: its files as they are now, what is read of them, and the version that read it."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec

from hepgrad.analysis.optimisation.fingerprint import description

from ..read.files.paths import is_remote
from ..read.reader import Request
from ..read.sample import Sample
from ..redaction import redacted

# of the files of the cache; other versions are never read
FORMAT = 1
# what servers call the state of a file; the first one they tell is used
STATES = ("ETag", "etag", "mtime", "Last-Modified", "LastModified")
DIGITS = 24
# servers are asked about so many files at a time
REQUESTS = 16


def key_of(sample: Sample, request: Request) -> dict[str, Any] | None:
    """Return what the columns of a sample depend on, as JSON can hold it.

    A file is known by its path, its size and the time of its last change, or what its server tells instead of that
    (its entity tag).

    Parameters
    ----------
    sample
        What is read.
    request
        What of it.

    Returns
    -------
    dict or None
        None when a file is not there, or its server tells nothing by which a change would be noticed.
    """
    with ThreadPoolExecutor(REQUESTS) as threads:
        files = list(threads.map(_state, sample.files))
    if not all(files):
        return None
    return {
        "format": FORMAT,
        "hepgrad": importlib.metadata.version("hepgrad"),
        "files": files,
        "tree": request.tree,
        "columns": sorted(request.of(sample)),
        "weight": sample.weight,
        "keep": description(sample.keep),
        "layout": dataclasses.asdict(request.layout),
        # a skim may say itself what decides which events it keeps
        "skim": getattr(request.skim, "key", None) or description(request.skim),
    }


def digest(key: Any) -> str:
    """Return a short name of a key: the start of the SHA-256 of its JSON.

    Parameters
    ----------
    key
        Anything that JSON can hold.

    Examples
    --------
    >>> from hepgrad.workflows.cache.key import digest
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:DIGITS]


def _state(file: str) -> dict[str, Any] | None:
    try:
        if is_remote(file):
            system, path = fsspec.core.url_to_fs(file)
            about = system.info(path)
            state = next((str(about[name]) for name in STATES if about.get(name)), None)
            # tokens belong into no file; two that differ in nothing else are told apart by a digest
            told = {"path": redacted(file), "url": digest(file)} if redacted(file) != file else {"path": file}
            return {**told, "bytes": about["size"], "state": state} if state else None
        about = Path(file).stat()
        return {"path": str(Path(file).resolve()), "bytes": about.st_size, "state": str(about.st_mtime_ns)}
    except Exception:  # file systems raise what they like; the reader says what is wrong with the file
        return None
