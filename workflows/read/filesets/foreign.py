"""Lists of samples as other frameworks write them: coffea, PocketCoffea, RDataFrame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .described import NOMINAL, OF_SAMPLE

# by our key, what others call it
CALLED = {
    "xsec_pb": ("xsec", "xs", "cross_section"),
    "sumw_total": ("sum_genweights", "sum_genweight", "sumw", "genEventSumw"),
    "era": ("year",),
}


def as_entries(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the entries of a file by sample, also where they are below ``samples``, as RDataFrame has them.

    Examples
    --------
    >>> from hepgrad.workflows.read.filesets.foreign import as_entries
    >>> list(as_entries({"samples": {"ttbar": {"trees": ["Events"], "files": ["a.root"]}}}))
    ['ttbar']
    """
    samples = content.get("samples")
    is_specification = isinstance(samples, dict) and not {"files", NOMINAL} & samples.keys()
    return samples if is_specification and isinstance(samples, dict) else content


def as_described(entry: Any) -> Any:
    """Return an entry as `described_sample` takes it, also where another framework has written it.

    There an entry is a list of files, or an object whose ``files`` are a list or the keys of an object, with what is
    known of them under ``metadata``: of this what has our own keys is taken, such as ``xsec_pb``, and what others call
    by some usual names.

    Examples
    --------
    >>> from hepgrad.workflows.read.filesets.foreign import as_described
    >>> as_described({"files": {"a.root": "Events"}, "metadata": {"xsec_pb": 2.0, "year": 2018}})
    {'nominal': {'xsec_pb': 2.0, 'era': 2018, 'files': ['a.root']}}
    >>> as_described({"files": ["a.root"], "metadata": {"xsec": "88.3", "sum_genweights": 1e6, "isMC": "True"}})
    {'nominal': {'xsec_pb': 88.3, 'sumw_total': 1000000.0, 'files': ['a.root']}}
    """
    if isinstance(entry, list):
        return {NOMINAL: {"files": entry}}
    if not isinstance(entry, dict) or NOMINAL in entry:
        return entry
    files = entry.get("files")
    if not (isinstance(files, dict) or (isinstance(files, list) and {"metadata", "trees"} & entry.keys())):
        return entry
    metadata = entry.get("metadata")
    told = metadata if isinstance(metadata, dict) else {}
    own = {key: entry[key] for key in OF_SAMPLE if key in entry and key != "files"}
    known = {key: told[key] for key in OF_SAMPLE if key in told}
    for key, names in CALLED.items():
        for name in names:
            if key not in known and isinstance(told.get(name), str | int | float):
                known[key] = told[name] if key == "era" else _number(told[name])
    return {NOMINAL: {**known, **own, "files": list(files)}}


def _number(value: Any) -> Any:
    """Return a number that is written as text as a number."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
