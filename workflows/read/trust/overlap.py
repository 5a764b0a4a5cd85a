"""Collision data that are in two data sets: primary data sets share the events that fired the triggers of both."""

from __future__ import annotations

from collections.abc import Sequence

import awkward as ak
import numpy as np

from ...errors import InputError
from ..events import as_records, branches_of
from ..files.tree import iterate_tree
from ..reader import Request
from ..sample import Sample
from .identity import Identities, identity_branches


def check_overlap(process: str, samples: Sequence[Sample], request: Request) -> None:
    """Raise an error when an event is in two samples of collision data that make up one process.

    Only events that are kept count (`Sample.keep`), and only where the files have event numbers. The error names both
    samples, and how many events are in both.
    """
    data = [sample for sample in samples if sample.luminosity is not None]
    seen: list[tuple[Sample, np.ndarray]] = []
    for sample in data if len(data) > 1 else ():
        names = _names(sample, request)
        for other, before in seen:
            if common := len(np.intersect1d(names, before)):
                raise InputError(
                    f"process {process!r}: {common} events are in both samples {other.name!r} and {sample.name!r} (the "
                    "same run, luminosity block and event number) and would count twice; let each sample keep only the "
                    "events of its own triggers that the others do not take (Sample.keep)"
                )
        seen.append((sample, names))


def _names(sample: Sample, request: Request) -> np.ndarray:
    """Return what tells the events from each other that are kept; nothing where the files have no event numbers."""
    layout, found = request.layout_of(sample), [np.zeros(0, np.uint64)]
    needed, optional = branches_of(sample.reads, layout)
    beside = [*optional, *identity_branches(layout)]
    for file in sample.files:
        for entries in iterate_tree(file, needed, tree=request.tree, chunk=request.chunk, beside=beside):
            identities = Identities.of(entries, [], layout) if entries.fields else None
            if identities is None:
                return found[0]
            kept = np.ones(len(entries), bool)
            if sample.keep:
                events = as_records(file, entries, sample.reads, layout)
                kept = np.all([ak.to_numpy(keep(events)) for keep in sample.keep], axis=0)
            found.append(identities.names[kept])
    return np.concatenate(found)
