"""Which events train, which choose and which judge: parts of the simulation that share no event."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import awkward as ak
import numpy as np
from rich.table import Table

from ..printing import as_html
from .dataset import Dataset
from .pool import Pool

# one data set, or one in pieces (shards) that need not be in memory together, or not on this machine
Part: TypeAlias = Dataset | Sequence[Dataset] | Pool


@dataclasses.dataclass(frozen=True)
class Split:
    """Events to optimise on, events that choose the best point, and events that neither ever sees.

    Each part is weighted to the full luminosity. A part may be a sequence of data sets (shards), which may load them
    one at a time, or a `Pool` of shards anywhere: their histograms are summed before the objective is evaluated, so
    that the shards give the gradient of the whole, not the mean of their own.

    Attributes
    ----------
    train
        Events that the gradient is computed from.
    held_out
        Events on which the result is reported.
    validation
        Events on which hard cuts are compared during the run; the training events by default.
    """

    train: Part
    held_out: Part
    validation: Part | None = None

    @property
    def choosing(self) -> Part:
        """The events on which hard cuts are compared: those of the validation if there are any."""
        return self.train if self.validation is None else self.validation

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that there are, by name."""
        named = {"train": self.train, "validation": self.validation, "held_out": self.held_out}
        return {name: part for name, part in named.items() if part is not None}

    def table(self) -> Table:
        """Return the numbers of simulated events of each process and part, of those that are in memory."""
        table = Table(title="Simulated events", title_justify="left")
        table.add_column("process")
        numbers = {name: part.numbers if isinstance(part, Dataset) else {} for name, part in self.parts.items()}
        for name in numbers:
            table.add_column(name, justify="right")
        for process in Pool.of(self.train).about.processes:
            table.add_row(process, *(f"{each[process]:,}" if process in each else "" for each in numbers.values()))
        return table

    def __repr__(self) -> str:
        told = (f"{name}={part if isinstance(part, Dataset) else 'in shards'}" for name, part in self.parts.items())
        return f"Split({', '.join(told)})"

    def _repr_html_(self) -> str:
        return as_html(self.table())


def split(
    samples: Mapping[str, ak.Array],
    weights: Mapping[str, np.ndarray],
    *,
    numbers: Mapping[str, np.ndarray],
    validation: float = 0.0,
    held_out: float = 0.5,
    block_size: int | None = None,
) -> Split:
    """Divide events by their numbers into parts, and weight each part to the whole.

    An event's number alone decides where it goes, through a fixed hash: a sample that is read again, in another order,
    with more events, or with a systematic variation is divided in the same way. In each part the weights of a process
    are multiplied by one factor, so that their sum is that of the whole process.

    Parameters
    ----------
    samples
        For each process, one record per event, as `Dataset.from_awkward` takes them.
    weights
        For each process, the event weights, shape (events,).
    numbers
        For each process, the event numbers (integers), shape (events,).
    validation, held_out
        Shares of the events, at least 0 and together less than 1; the rest trains. Without a share for the validation
        hard cuts are compared on the training events.
    block_size
        As in `Dataset.from_awkward`.

    Raises
    ------
    ValueError
        When the shares do not leave events for each part, numbers are missing or no integers, or a process has no
        events in a part or a sum of weights there that is not positive.

    Examples
    --------
    >>> import awkward as ak, numpy as np
    >>> from hepgrad.analysis import split
    >>> events = {"ttbar": ak.zip({"MET_pt": np.arange(1000.0)}, depth_limit=1)}
    >>> ones, numbers = {"ttbar": np.ones(1000)}, {"ttbar": np.arange(1000)}
    >>> parts = split(events, ones, numbers=numbers, validation=0.25, held_out=0.25)
    >>> for part in (parts.train, parts.validation, parts.held_out):
    ...     print(int((part.weight > 0).sum()), float(part.weight.sum().round(2)))
    497 1000.0
    264 1000.0
    239 1000.0
    """
    if not (validation >= 0 and held_out > 0 and validation + held_out < 1):
        raise ValueError(
            f"the shares must leave events to train on and to hold out, got validation={validation} and "
            f"held_out={held_out}"
        )
    shares = {"train": 1 - validation - held_out, "validation": validation, "held_out": held_out}
    parts = [name for name, share in shares.items() if share > 0]
    borders = np.cumsum([shares[name] for name in parts])[:-1]
    part_of = {p: np.searchsorted(borders, fraction(p, numbers.get(p), len(s)), "right") for p, s in samples.items()}

    def part(index: int) -> Dataset:
        kept = {p: part_of[p] == index for p in samples}
        scaled = {p: _to_the_whole(p, np.asarray(weights[p]), kept[p], parts[index]) for p in samples}
        return Dataset.from_awkward({p: samples[p][kept[p]] for p in samples}, scaled, block_size=block_size)

    return Split(**{name: part(index) for index, name in enumerate(parts)})


def mixed(numbers: np.ndarray) -> np.ndarray:
    """Return numbers in which every bit depends on all bits of the given ones: the finaliser of splitmix64.

    Numbers are uint64; sums are modulo ``2**64``.

    Examples
    --------
    >>> import numpy as np
    >>> from hepgrad.analysis.data.split import mixed
    >>> mixed(np.zeros(1, np.uint64))
    array([16294208416658607535], dtype=uint64)
    """
    x = numbers + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def fraction(process: str, numbers: Any, events: int) -> np.ndarray:
    """Return a number in [0, 1) for each event number, as if drawn at random.

    Raises `ValueError` when there are not so many, or they are no integers.
    """
    numbers = np.asarray(numbers)
    if numbers.shape != (events,) or numbers.dtype.kind not in "iu":
        raise ValueError(
            f"process {process!r} needs {events} integer event numbers, got {numbers.dtype} of shape {numbers.shape}"
        )
    return mixed(numbers.astype(np.uint64)) / 2.0**64


def _to_the_whole(process: str, weight: np.ndarray, kept: np.ndarray, part: str) -> np.ndarray:
    """Return the weights of a part, multiplied so that they add up to what all events do."""
    inside = weight[kept].sum()
    if not inside > 0:
        raise ValueError(
            f"process {process!r}: the {np.count_nonzero(kept)} events of the part {part!r} have a sum of weights of "
            f"{inside:g}; it must be positive to stand for the whole process"
        )
    return weight[kept] * (weight.sum() / inside)
