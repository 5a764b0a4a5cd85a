"""What a cached sample depends on: its files as they are now, what is read of them, and the version that read it."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hepgrad.analysis.optimisation.fingerprints import description

from ..read.reader import Request
from ..read.sample import Sample
from ..read.servers.state import state_of

# of the files of the cache; other versions are never read
FORMAT = 2
DIGITS = 24
# servers are asked about so many files at a time
REQUESTS = 16


def key_of(sample: Sample, request: Request) -> dict[str, Any] | None:
    """Return what the columns of a sample depend on, as JSON can hold it.

    A file is known by its path, its size and the time of its last change, or what its server tells instead of that (its
    entity tag). There is none (None) when a file is not there, or its server tells nothing by which a change would be
    noticed.
    """
    with ThreadPoolExecutor(REQUESTS) as threads:
        files = list(threads.map(state_of, sample.files))
        friends = list(threads.map(state_of, [friend for each in sample.friends for friend in each]))
    if not all([*files, *friends]):
        return None
    return {
        "format": FORMAT,
        "hepgrad": importlib.metadata.version("hepgrad"),
        "files": files,
        **({"friends": friends} if friends else {}),
        "tree": request.tree,
        "columns": sorted(request.of(sample)),
        "weight": sample.weight,
        "keep": description(sample.keep),
        "reweight": description(sample.reweight),
        # those that are refused or kept are in the columns; which of them there are stands in the entry
        "not_finite": "drop" if request.not_finite == "drop" else "keep",
        "layout": dataclasses.asdict(request.layout_of(sample)),
        # a skim may say itself what decides which events it keeps
        "skim": getattr(request.skim, "key", None) or description(request.skim),
    }


def digest(key: Any) -> str:
    """Return a short name of a key: the start of the SHA-256 of its JSON.

    Examples
    --------
    >>> from hepgrad.workflows.cache.key import digest
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:DIGITS]
