"""Columns of events as flat arrays: numbers end to end, and where the objects of each event begin."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import awkward as ak
import numpy as np

from ...errors import InputError

# a field of the events, and the field in it or "": ("Jet", "pt"), ("genWeight", "")
Place: TypeAlias = tuple[str, str]


@dataclasses.dataclass(frozen=True, eq=False)
class Columns:
    """Some events, column by column.

    Attributes
    ----------
    events
        How many.
    values
        By place: shape (events,), or (objects,) for a field of a collection.
    offsets
        By collection, integers of shape (events + 1,): where the objects of each event begin; the first is 0.

    Examples
    --------
    >>> import awkward as ak
    >>> from hepgrad.workflows.read.packing.columns import Columns
    >>> columns = Columns.of(ak.Array([{"Jet": [{"pt": 50.0}, {"pt": 30.0}]}, {"Jet": []}]))
    >>> columns.values["Jet", "pt"].tolist(), columns.offsets["Jet"].tolist()
    ([50.0, 30.0], [0, 2, 2])
    """

    events: int
    values: Mapping[Place, np.ndarray]
    offsets: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, events: ak.Array) -> Columns:
        """Return the columns of events.

        There is one record per event: collections, records and numbers, as from `read_events`. Raises `InputError` for
        lists in lists, text and missing values; names the column.
        """
        values: dict[Place, np.ndarray] = {}
        offsets: dict[str, np.ndarray] = {}
        for name in events.fields:
            column = events[name]
            if column.ndim > 2:
                raise InputError(f"{name} holds lists in lists, which have no place among the columns of events")
            if column.ndim == 2:
                offsets[name] = np.append(0, np.cumsum(ak.to_numpy(ak.num(column)), dtype=np.int64))
                column = ak.flatten(column)
            for field in column.fields or [""]:
                values[name, field] = _numbers(column[field] if field else column, f"{name} {field}".strip())
        return cls(len(events), values, offsets)

    @classmethod
    def joined(cls, pieces: Sequence[Columns]) -> Columns:
        """Return the events of several pieces, one after the other.

        All have the same columns.
        """
        if len(pieces) == 1:
            return pieces[0]
        values = {place: np.concatenate([piece.values[place] for piece in pieces]) for place in pieces[0].values}
        offsets = {}
        for name in pieces[0].offsets:
            counts = [np.diff(piece.offsets[name]) for piece in pieces]
            offsets[name] = np.append(0, np.cumsum(np.concatenate(counts), dtype=np.int64))
        return cls(sum(piece.events for piece in pieces), values, offsets)

    def between(self, start: int, stop: int) -> Columns:
        """Return a range of the events; the values are not copied."""
        values = {}
        for (name, field), each in self.values.items():
            begin, end = (start, stop) if name not in self.offsets else self.offsets[name][[start, stop]]
            values[name, field] = each[begin:end]
        offsets = {name: each[start : stop + 1] - each[start] for name, each in self.offsets.items()}
        return Columns(stop - start, values, offsets)

    def to_awkward(self) -> ak.Array:
        """Return one record per event, as `read_events` does; the values are not copied."""
        fields: dict[str, dict[str, ak.Array]] = {}
        for (name, field), values in self.values.items():
            column = ak.Array(values)
            if name in self.offsets:
                column = ak.unflatten(column, np.diff(self.offsets[name]))
            fields.setdefault(name, {})[field] = column
        return ak.zip(
            {
                name: members[""] if "" in members else ak.zip(members, depth_limit=2 if name in self.offsets else 1)
                for name, members in fields.items()
            },
            depth_limit=1,
        )


def _numbers(column: ak.Array, name: str) -> np.ndarray:
    try:
        numbers = ak.to_numpy(column, allow_missing=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} does not hold one number for each event or object: {error}") from error
    if numbers.dtype.kind not in "fiub" or numbers.ndim != 1:
        raise InputError(f"{name} must hold numbers or booleans, it holds {numbers.dtype}")
    return numbers
