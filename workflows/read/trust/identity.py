"""Which event is which: no event is read twice, and none is for training under one number and held out under it too."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import awkward as ak
import numpy as np

from hepgrad.analysis.data.split import mixed

from ...errors import InputError
from ..layout import Layout
from ..sample import Sample

# the columns that tell one event from all others, each by the names it has in CMS and in ATLAS files
NUMBER = ("event", "eventNumber")
PERIOD = (("run", "runNumber"), ("luminosityBlock", "lumiBlock"))
# so many columns are compared where event numbers are the same
FEW = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Identities:
    """What tells the events of a chunk from each other.

    Attributes
    ----------
    names
        uint64, shape (events,): mixed from run, luminosity block and event number.
    values
        uint64, shape (events,): mixed from some of what else was read of the event; None when that is too little to
        tell two events apart.
    """

    names: np.ndarray
    values: np.ndarray | None

    @classmethod
    def of(cls, entries: ak.Array, branches: Sequence[str], layout: Layout) -> Identities | None:
        """Return the identities of entries of a tree; None when it has no event numbers."""
        found = [_whole_numbers(entries, layout, names) for names in (NUMBER, *PERIOD)]
        if found[0] is None:
            return None
        names = np.zeros(len(entries), np.uint64)
        for each in found:
            if each is not None:
                names = mixed(names ^ each)
        floats = [branch for branch in branches if _kind(entries[branch]) == "f"]
        # a few columns tell two events from each other, best those that are one number for each
        told = sorted(floats, key=lambda branch: entries[branch].ndim)[:FEW]
        return cls(names, _values(entries, told) if told else None)


class Halves:
    """Divides the events of a sample: every other one, but those with the same event number go together."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._different = 0
        self._names, self._whole = _Register(), _Register()

    def odd(self, events: int, identities: Identities | None, file: str) -> np.ndarray:
        """Return which events of the next chunk are held out: bool, shape (events,).

        Without ``identities`` nothing tells events apart. Raises `InputError` when an event was read before: its number
        is the same, and so are its values.
        """
        if identities is None:
            self._different += events
            return (np.arange(self._different - events, self._different)) % 2 == 1
        if identities.values is not None:
            self._refuse_repeated(mixed(identities.names ^ mixed(identities.values)), file)
        names, first, which = np.unique(identities.names, return_index=True, return_inverse=True)
        odd, known = self._names.find(names)
        # every other one of those that are new, in the order in which they come
        new = np.flatnonzero(~known)
        new = new[np.argsort(first[new])]
        odd[new] = (self._different + np.arange(len(new))) % 2 == 1
        self._different += len(new)
        self._names.add(names[~known], odd[~known])
        return odd[which]

    def _refuse_repeated(self, whole: np.ndarray, file: str) -> None:
        unique = np.unique(whole)
        _, known = self._whole.find(unique)
        if repeated := len(whole) - len(unique) + np.count_nonzero(known):
            raise InputError(
                f"sample {self._sample.name!r}: {repeated} events of {file} were read before: run, luminosity block "
                "and event number are the same, and so are the values; leave out the file or the events that are there "
                "twice"
            )
        self._whole.add(unique, np.zeros(len(unique), bool))


class _Register:
    """What was seen, by number, with one bit each."""

    def __init__(self) -> None:
        # sorted runs of falling lengths, so that there are few of them and each entry is moved seldom
        self._runs: list[tuple[np.ndarray, np.ndarray]] = []

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the bit of each number, and whether it is there."""
        bits, there = np.zeros(len(keys), bool), np.zeros(len(keys), bool)
        for run, stored in self._runs:
            places = np.searchsorted(run, keys)
            known = places < len(run)
            known[known] = run[places[known]] == keys[known]
            bits[known] = stored[places[known]]
            there |= known
        return bits, there

    def add(self, keys: np.ndarray, bits: np.ndarray) -> None:
        """Put in numbers that are not there yet, sorted."""
        self._runs.append((keys, bits))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            merged, both = (np.concatenate(pair) for pair in zip(self._runs[-2], self._runs[-1], strict=True))
            order = np.argsort(merged, kind="stable")
            self._runs[-2:] = [(merged[order], both[order])]


def identity_branches(layout: Layout) -> list[str]:
    """Return the branches that tell events apart, where a tree has them."""
    return [layout.branch(name) for names in (NUMBER, *PERIOD) for name in names]


def _whole_numbers(entries: ak.Array, layout: Layout, names: Sequence[str]) -> np.ndarray | None:
    for branch in map(layout.branch, names):
        if branch in entries.fields and entries[branch].ndim == 1 and _kind(entries[branch]) in "iu":
            return ak.to_numpy(entries[branch]).astype(np.uint64)
    return None


def _values(entries: ak.Array, branches: Sequence[str]) -> np.ndarray:
    total = np.zeros(len(entries), np.uint64)
    for number, branch in enumerate(branches):
        column = entries[branch]
        if column.ndim == 1 and _kind(column):
            total = mixed(total ^ _bits(ak.to_numpy(column)))
        elif column.ndim == 2 and _kind(column):
            counts = ak.to_numpy(ak.num(column))
            ends = np.cumsum(counts)
            places = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
            each = mixed(_bits(ak.to_numpy(ak.flatten(column))) + places.astype(np.uint64) + np.uint64(number))
            # sums modulo 2**64, of each event's own objects
            sums = np.append(np.uint64(0), np.cumsum(each, dtype=np.uint64))
            total = mixed(total ^ (sums[ends] - sums[ends - counts]) ^ counts.astype(np.uint64))
    return total


def _bits(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}").astype(np.uint64)


def _kind(column: ak.Array) -> str:
    """Return the kind of the numbers of a column; "" when it does not hold numbers."""
    try:
        return ak.to_numpy(ak.flatten(column, axis=None)[:0], allow_missing=False).dtype.kind
    except (TypeError, ValueError):
        return ""
