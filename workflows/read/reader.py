"""One sample, file by file and chunk by chunk, in two halves; what could not be read, and what that leaves."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import awkward as ak
import numpy as np

from ..errors import InputError, InputWarning
from .events import iterate_events
from .files.tree import CHUNK, BadFile
from .layout import NANOAOD, Layout
from .packing.columns import Columns, Place
from .sample import Sample

HALVES = 2


@dataclasses.dataclass(frozen=True)
class ReadProgress:
    """How far the reading of a sample has come.

    Attributes
    ----------
    sample
        Its name.
    files, done
        The number of its files, and how many of them were read.
    events
        How many events were read.
    """

    sample: str
    files: int
    done: int
    events: int


ReadWatcher: TypeAlias = Callable[[ReadProgress], None]
Skim: TypeAlias = Callable[[ak.Array], ak.Array]


@dataclasses.dataclass(frozen=True)
class Request:
    """What is read of every sample, and how.

    Attributes
    ----------
    columns
        Names of the columns, as stages read them.
    tree
        Name of the tree in every file.
    layout
        How the files call the columns.
    skip_bad_files
        Go on without files that cannot be read.
    chunk
        Events at a time, or the size that their uncompressed branches have in memory.
    skim
        Drops events and objects of a chunk that no cut values could accept.
    watch
        Is told how far it has come after every chunk.
    """

    columns: tuple[str, ...]
    tree: str = "Events"
    layout: Layout = NANOAOD
    skip_bad_files: bool = False
    chunk: int | str = CHUNK
    skim: Skim | None = None
    watch: ReadWatcher | None = dataclasses.field(default=None, compare=False)

    def of(self, sample: Sample) -> tuple[str, ...]:
        """Return the columns that are read of a sample: what was asked for, its weights, what tells its events.

        Parameters
        ----------
        sample
            The sample.
        """
        return tuple(dict.fromkeys([*self.columns, *([sample.weight] if sample.weight else []), *sample.reads]))

    def places(self) -> list[Place]:
        """Return where the columns are among those of the events."""
        return [self.layout.field(column) for column in dict.fromkeys(self.columns)]

    def weight(self, sample: Sample) -> Place | None:
        """Return where the weights of a sample are, or None when each is 1.

        Parameters
        ----------
        sample
            The sample.
        """
        return self.layout.field(sample.weight) if sample.weight else None


class SampleReader:
    """Iterates over the events of a sample in pairs of chunks: events with an even index, and those with an odd one.

    A file that cannot be read ends the reading, unless the request says to skip bad files. Then what was read of it
    before the fault counts, what follows is left out, and `fraction` tells by how much the sum of the weights of the
    sample has to be multiplied to stand for what was read: the sum over the files of (share of the sample) x (share
    of its entries that was read).

    Parameters
    ----------
    sample
        What to read.
    request
        What of it.

    Attributes
    ----------
    bad
        By file that was skipped, the reason.
    events
        How many events were read so far, before the skim.

    Raises
    ------
    InputError
        While iterating: for bad files, unless they are skipped; when all are bad; when the fileset does not say
        which part of the sample a skipped file is; for weights that are NaN or infinite; when there are no events.
    """

    def __init__(self, sample: Sample, request: Request) -> None:
        self._sample, self._request = sample, request
        self._missing: dict[int, float] = {}
        self.bad: dict[str, str] = {}
        self.events = 0

    def __iter__(self) -> Iterator[tuple[Columns, Columns]]:
        sample, request = self._sample, self._request
        for index, file in enumerate(sample.files):
            columns = request.of(sample)
            chunks = iterate_events(file, columns, tree=request.tree, layout=request.layout, chunk=request.chunk)
            try:
                for chunk in chunks:
                    first = self.events
                    self.events += len(chunk)
                    yield even_and_odd(alternating(chunk, sample, request, file), first)
                    self._tell(index)
            except BadFile as error:
                if not request.skip_bad_files:
                    raise
                self._skip(index, error)
            self._tell(index + 1)
        if self.bad and not self.events:
            raise InputError(f"sample {sample.name!r}: no file can be read; {next(iter(self.bad.values()))}")
        if not self.events:
            raise InputError(f"{', '.join(sample.files)}: tree {request.tree!r} has no events")

    @property
    def fraction(self) -> float:
        """The share of the sample that was read, in terms of its sum of weights."""
        shares = self._sample.shares
        if not self._missing or shares is None:
            return 1.0
        return 1 - math.fsum(shares[i] * missing for i, missing in self._missing.items()) / math.fsum(shares)

    def _skip(self, index: int, error: BadFile) -> None:
        sample = self._sample
        if sample.shares is None:
            raise InputError(
                f"{error}. It cannot be skipped: {sample.source} does not say which part of sample {sample.name!r} "
                'each file is; add "sumw" or "nevts" to each of them'
            ) from error
        self.bad[sample.files[index]] = str(error)
        self._missing[index] = 1 - error.share
        warnings.warn(
            f"{error}. It is skipped, file {index + 1} of {len(sample.files)} of sample {sample.name!r}, which is "
            f"normalised to what was read of it: {100 * self.fraction:.4g} % of its weights so far",
            InputWarning,
            stacklevel=3,
        )

    def _tell(self, done: int) -> None:
        if self._request.watch is not None:
            self._request.watch(ReadProgress(self._sample.name, len(self._sample.files), done, self.events))


def alternating(chunk: ak.Array, sample: Sample, request: Request, file: str) -> tuple[Columns, Columns]:
    """Return the first, third, ... event of a chunk, and the second, fourth, ...: what is kept and passes the skim.

    Parameters
    ----------
    chunk
        Events.
    sample, request
        As for `SampleReader`.
    file
        Where they are from.

    Raises
    ------
    InputError
        For weights that are NaN or infinite.
    """
    _check_weights(chunk, sample, request, file)

    def chosen(events: ak.Array) -> Columns:
        for keep in sample.keep:
            events = events[keep(events)]
        return Columns.of(events if request.skim is None else request.skim(events))

    return chosen(chunk[::HALVES]), chosen(chunk[1::HALVES])


def even_and_odd(alternate: tuple[Columns, Columns], first: int) -> tuple[Columns, Columns]:
    """Return the events of a chunk with an even index in the sample, and those with an odd one.

    Parameters
    ----------
    alternate
        As from `alternating`.
    first
        Index of the first event of the chunk.
    """
    one, other = alternate
    return (other, one) if first % HALVES else (one, other)


def _check_weights(events: ak.Array, sample: Sample, request: Request, file: str) -> None:
    where = request.weight(sample)
    if where is None:
        return
    weight = ak.to_numpy(events[where if where[1] else where[0]])
    if bad := int(np.count_nonzero(~np.isfinite(weight))):
        raise InputError(
            f"sample {sample.name!r}: {bad} of {len(weight)} values of {sample.weight} are NaN or infinite in {file}; "
            "remove these events or correct their weights"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class StoredSample:
    """A sample that was read: its two halves, each in pieces, in memory or memory-mapped.

    Attributes
    ----------
    halves
        The events with an even index, and those with an odd one.
    events
        How many events were read, before the skim.
    fraction
        The share of the sample's sum of weights that they stand for.
    key
        What the columns depend on, as JSON can hold it; None where that is not known.
    """

    halves: tuple[Sequence[Columns], Sequence[Columns]]
    events: int
    fraction: float = 1.0
    key: Any = None

    @property
    def factors(self) -> tuple[float, float]:
        """What the weights of each half are multiplied by so that it stands for the whole sample.

        The number of events that were read over the number of those in the half, whether the skim kept them or not.
        """
        whole = self.events / self.fraction
        return whole / (self.events - self.events // HALVES), whole / (self.events // HALVES)

    @classmethod
    def read(cls, sample: Sample, request: Request) -> StoredSample:
        """Read a sample into memory.

        Parameters
        ----------
        sample
            What to read.
        request
            What of it.

        Raises
        ------
        InputError
            As `SampleReader` does.
        """
        reader = SampleReader(sample, request)
        chunks = list(reader)
        return cls.of(chunks, reader.events, reader.fraction)

    @classmethod
    def of(cls, chunks: Sequence[tuple[Columns, Columns]], events: int, fraction: float = 1.0) -> StoredSample:
        """Return a sample in memory.

        Parameters
        ----------
        chunks
            The events of each with an even index and those with an odd one; they may be without events.
        events, fraction
            See the attributes.
        """
        even, odd = ([piece for piece in half if piece.events] for half in zip(*chunks, strict=True))
        return cls((even, odd), events, fraction)
