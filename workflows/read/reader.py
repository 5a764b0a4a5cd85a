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
from .events import as_records, branches_of
from .files.friends import Friends
from .files.tree import CHUNK, BadFile, iterate_tree
from .layout import NANOAOD, Layout
from .packing.columns import Columns, Place
from .sample import WEIGHT, Sample
from .trust.agreement import NotFinite
from .trust.finite import finite_events, not_finite
from .trust.identity import Halves, Identities, identity_branches
from .trust.kinds import Kinds
from .trust.runs import generated_weights
from .trust.totals import FileTotals, Totals
from .weighing import column_weights

HALVES = 2
# where weights are that no column holds as they are
DERIVED: Place = ("hepgrad weight", "")


@dataclasses.dataclass(frozen=True)
class ReadProgress:
    """How far the reading of a sample has come.

    Of its ``files`` so many are ``done``.
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
    tree, layout, skip_bad_files, skim, not_finite
        As for `hepgrad.workflows.load`.
    chunk
        Events at a time, or the size that their uncompressed branches have in memory.
    watch
        Is told how far it has come after every chunk.
    """

    columns: tuple[str, ...]
    tree: str = "Events"
    layout: Layout = NANOAOD
    skip_bad_files: bool = False
    chunk: int | str = CHUNK
    skim: Skim | None = None
    not_finite: NotFinite = "refuse"
    watch: ReadWatcher | None = dataclasses.field(default=None, compare=False)

    def of(self, sample: Sample) -> tuple[str, ...]:
        """Return the columns that are read of a sample: what was asked for, its weights, what tells its events."""
        return tuple(dict.fromkeys([*self.columns, *sample.columns()]))

    def layout_of(self, sample: Sample) -> Layout:
        """Return how the files of a sample call the columns."""
        return self.layout if sample.layout is None else sample.layout

    def places(self) -> list[Place]:
        """Return where the columns are among those of the events."""
        return [self.layout.field(column) for column in dict.fromkeys(self.columns)]

    def weight(self, sample: Sample) -> Place | None:
        """Return where the weights of a sample are, or None when each is 1."""
        if is_derived(sample):
            return DERIVED
        return self.layout_of(sample).field(sample.weight) if sample.weight else None


class SampleReader:
    """Iterates over the events of a sample in pairs of chunks: events with an even index, and those with an odd one.

    Where the files have event numbers, events with the same number go with the first one of them (see `Halves`).

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
    totals
        What was read so far, before the skim.

    Raises
    ------
    InputError
        While iterating: for bad files, unless they are skipped; when all are bad; when the fileset does not say
        which part of the sample a skipped file is; for weights that are NaN or infinite; for events that are there
        twice; when files hold columns of different types; when there are no events.
    """

    def __init__(self, sample: Sample, request: Request) -> None:
        self._sample, self._request = sample, request
        self._missing: dict[int, float] = {}
        self.bad: dict[str, str] = {}
        self._files = [FileTotals() for _ in sample.files]
        self._halves = [0] * HALVES

    @property
    def events(self) -> int:
        """How many events were read so far, before the skim."""
        return sum(self._halves)

    @property
    def totals(self) -> Totals:
        """What was read so far, before the skim."""
        return Totals((self._halves[0], self._halves[1]), tuple(self._files))

    def __iter__(self) -> Iterator[tuple[Columns, Columns]]:
        sample, request = self._sample, self._request
        halves, kinds, layout = Halves(sample), Kinds(), request.layout_of(sample)
        for index, file in enumerate(sample.files):

            def about(directory: Any, index: int = index) -> None:
                self._files[index] += file_totals(directory, sample, request)

            needed, optional = branches_of(request.of(sample), layout)
            beside = sample.friends[index] if sample.friends else ()
            friends = Friends.of(file, beside, request.of(sample), tree=request.tree, layout=layout)
            chunks = friends.beside(
                iterate_tree(
                    file,
                    friends.without(needed),
                    tree=request.tree,
                    chunk=request.chunk,
                    beside=[*optional, *identity_branches(layout)],
                    about=about,
                )
            )
            try:
                for entries in chunks:
                    events = as_records(file, entries, request.of(sample), layout)
                    kinds.check(file, events)
                    self._files[index] += chunk_totals(events, sample, request, file)
                    identities = Identities.of(entries, needed, layout)
                    odd = halves.odd(len(events), identities, file)
                    for half, number in enumerate((np.count_nonzero(~odd), np.count_nonzero(odd))):
                        self._halves[half] += int(number)
                    yield kept_columns(events[~odd], sample, request), kept_columns(events[odd], sample, request)
                    self._tell(index)
            except BadFile as error:
                if not request.skip_bad_files:
                    raise
                self._skip(index, error)
            self._tell(index + 1)
        if self.bad and not self.events:
            raise InputError(f"sample {sample.name!r}: no file can be read; {next(iter(self.bad.values()))}")
        if not self.events:
            raise InputError(f"{', '.join(sample.files)}: tree {request.tree!r} has no events; leave out what is empty")

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


def kept_columns(events: ak.Array, sample: Sample, request: Request) -> Columns:
    """Return the columns of the events that are kept and pass the skim."""
    if request.not_finite == "drop":
        events = events[finite_events(events)]
    for keep in sample.keep:
        events = events[keep(events)]
    if is_derived(sample):
        weights = column_weights(events, sample, request.layout_of(sample), sample.name)
        factors = 1.0 if sample.reweight is None else sample.reweight(events)
        events = ak.with_field(events, weights * factors, DERIVED[0])
    return Columns.of(events if request.skim is None else request.skim(events))


def is_derived(sample: Sample) -> bool:
    """Tell whether the weights of a sample are no column as it is."""
    return sample.reweight is not None or sample.weight_position is not None


def file_totals(directory: Any, sample: Sample, request: Request) -> FileTotals:
    """Return what a file says of itself."""
    # the weights of other columns are not those that the file adds up
    usual = sample.luminosity is None and sample.weight == WEIGHT == request.layout_of(sample).branch(WEIGHT)
    return FileTotals(uuid=str(directory.file.uuid), generated=generated_weights(directory) if usual else None)


def chunk_totals(events: ak.Array, sample: Sample, request: Request, file: str) -> FileTotals:
    """Return the numbers of a chunk.

    Events are those before any skim. Raises `InputError` for weights that are NaN or infinite, or not one number for
    each event.
    """
    weights = column_weights(events, sample, request.layout_of(sample), file)
    total = float(weights.sum(dtype=np.float64))
    negative = int(np.count_nonzero(weights < 0))
    return FileTotals(len(events), total, negative, not_finite=not_finite(events))


@dataclasses.dataclass(frozen=True, eq=False)
class StoredSample:
    """A sample that was read: its two halves, each in pieces, in memory or memory-mapped.

    Attributes
    ----------
    halves
        The events for training, and those that are held out.
    totals
        What was read, before the skim.
    fraction
        The share of the sample's sum of weights that they stand for.
    key
        What the columns depend on, as JSON can hold it; None where that is not known.
    """

    halves: tuple[Sequence[Columns], Sequence[Columns]]
    totals: Totals
    fraction: float = 1.0
    key: Any = None

    @property
    def events(self) -> int:
        """How many events were read, before the skim."""
        return self.totals.events

    @property
    def factors(self) -> tuple[float, float]:
        """What the weights of each half are multiplied by so that it stands for the whole sample.

        The number of events that were read over the number of those in the half, whether the skim kept them or not.
        """
        whole = self.events / self.fraction
        train, held_out = self.totals.halves
        return whole / train, whole / held_out

    @classmethod
    def read(cls, sample: Sample, request: Request) -> StoredSample:
        """Read a sample into memory.

        Raises `InputError` as `SampleReader` does.
        """
        reader = SampleReader(sample, request)
        chunks = list(reader)
        return cls.of(chunks, reader.totals, reader.fraction)

    @classmethod
    def of(cls, chunks: Sequence[tuple[Columns, Columns]], totals: Totals, fraction: float = 1.0) -> StoredSample:
        """Return a sample in memory.

        Chunks hold events for training and those held out, and may be without events.
        """
        even, odd = ([piece for piece in half if piece.events] for half in zip(*chunks, strict=True))
        return cls((even, odd), totals, fraction)
