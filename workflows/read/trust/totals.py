"""What was read of a sample in numbers: events, sums of weights, values that are not finite."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class FileTotals:
    """What was read of one file, before any skim.

    Attributes
    ----------
    events
        How many events.
    weights
        The sum of their weights; their number where each counts 1.
    negative
        How many weights are negative.
    uuid
        What the file calls itself, which a copy of it does too; "" when it says nothing.
    generated
        The sum of weights over all generated events, as the file says itself (in its tree ``Runs``); None when it does
        not.
    not_finite
        By column, how many values are NaN or infinite; only columns that have some.
    """

    events: int = 0
    weights: float = 0.0
    negative: int = 0
    uuid: str = ""
    generated: float | None = None
    not_finite: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __add__(self, other: FileTotals) -> FileTotals:
        return FileTotals(
            self.events + other.events,
            self.weights + other.weights,
            self.negative + other.negative,
            self.uuid or other.uuid,
            other.generated if self.generated is None else self.generated,
            dict(Counter(self.not_finite) + Counter(other.not_finite)),
        )


@dataclasses.dataclass(frozen=True)
class Totals:
    """What was read of a sample, before any skim.

    ``halves`` are how many events are for training, and how many are held out.
    """

    halves: tuple[int, int]
    files: Sequence[FileTotals]

    @property
    def events(self) -> int:
        """How many events."""
        return sum(self.halves)

    @property
    def not_finite(self) -> dict[str, int]:
        """By column, how many values are NaN or infinite."""
        return dict(sum((Counter(file.not_finite) for file in self.files), start=Counter()))

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold, for `from_json`."""
        return {"halves": list(self.halves), "files": [dataclasses.asdict(file) for file in self.files]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Totals:
        """Return what `as_json` described."""
        first, second = stored["halves"]
        return cls((first, second), [FileTotals(**file) for file in stored["files"]])
