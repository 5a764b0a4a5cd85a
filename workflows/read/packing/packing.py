"""From flat columns to blocks: every block gets its part of every sample, so that all of them are alike and full."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from hepgrad.analysis import Dataset, default_block_size
from hepgrad.analysis.data.precision import largest_beyond
from hepgrad.analysis.selection.ranking import PT, RANKING, by_falling

from ...errors import InputError
from .blocks import PROCESS, WEIGHT, Frame, Name, aligned
from .columns import Columns, Place

# XLA's loops on a CPU run up to twice as fast over a multiple of this many items
MULTIPLE = 64
# the longest row is rounded up to a multiple of this, so that similar data share a compiled program
ROWS = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Strand:
    """The events of one sample as a part of a process.

    Attributes
    ----------
    process
        Index of the process.
    pieces
        The events, in order; memory-mapped or in memory.
    scale
        What the weights are multiplied by.
    weight
        Where the weights are; None when each is 1.
    """

    process: int
    pieces: Sequence[Columns]
    scale: float
    weight: Place | None

    @property
    def events(self) -> int:
        """How many events there are."""
        return sum(piece.events for piece in self.pieces)


@dataclasses.dataclass(frozen=True)
class PackedShape:
    """What is the same for all blocks.

    Attributes
    ----------
    blocks
        How many there are.
    events
        Events per block.
    objects
        Room in a block for the objects of each collection.
    longest
        No event has more objects, by collection.
    """

    blocks: int
    events: int
    objects: Mapping[str, int]
    longest: Mapping[str, int]

    @classmethod
    def of(cls, halves: Sequence[Sequence[Strand]], block_size: int | None, *, multiple_of: int = 1) -> PackedShape:
        """Return the smallest shape that holds all events of each half.

        Halves are lists of strands, which share the shape, and with it their compiled programs. A block has about
        ``block_size`` events, by default what suits the device; the number of blocks is a multiple of ``multiple_of``.
        Raises `InputError` when there are fewer events than blocks are asked for.
        """
        wanted = block_size or default_block_size()
        most = max(-(-sum(strand.events for strand in half) // wanted) for half in halves)
        # a few less where rounding would leave a block without events
        for blocks in range(_up(most, multiple_of), 0, -multiple_of):
            each = [_ranges(half, block, blocks) for half in halves for block in range(blocks)]
            if all(each):
                break
        else:
            raise InputError(f"there are too few events for {multiple_of} blocks; use fewer devices")
        events = max(sum(part.events for part in block) for block in each)
        filled = [[*block, *[block[-1].last] * (events - sum(part.events for part in block))] for block in each]
        names = list(halves[0][0].pieces[0].offsets)
        objects = {name: max(sum(part.objects(name) for part in block) for block in filled) for name in names}
        longest = {name: max(part.longest(name) for block in each for part in block) for name in names}
        return cls(
            blocks,
            events,
            {name: _up(n, MULTIPLE) for name, n in objects.items()},
            {name: _up(n, ROWS) for name, n in longest.items()},
        )


@dataclasses.dataclass(frozen=True, eq=False)
class _Range:
    """Neighbouring events of one piece of a strand."""

    strand: Strand
    piece: Columns
    start: int
    stop: int

    @property
    def events(self) -> int:
        return self.stop - self.start

    @property
    def last(self) -> _Range:
        return dataclasses.replace(self, start=self.stop - 1)

    def objects(self, name: str) -> int:
        offsets = self.offsets(name)
        return int(offsets[-1] - offsets[0])

    def offsets(self, name: str) -> np.ndarray:
        return self.piece.offsets[name][self.start : self.stop + 1]

    def longest(self, name: str) -> int:
        return int(np.diff(self.offsets(name)).max())

    def values(self, place: Place) -> np.ndarray:
        if place[1] == RANKING:
            return self._ranking(place[0])
        start, stop = self.start, self.stop
        if (offsets := self.piece.offsets.get(place[0])) is not None:
            start, stop = offsets[start], offsets[stop]
        return self.piece.values[place][start:stop]

    def _ranking(self, name: str) -> np.ndarray:
        """Return the position of the leading object of each event, of the subleading one, and so on."""
        offsets = self.offsets(name)
        order = by_falling(self.values((name, PT)), offsets)
        if order is not None:
            return order
        starts = offsets[:-1] - offsets[0]
        return np.arange(offsets[-1] - offsets[0], dtype=np.int32) - np.repeat(starts, np.diff(offsets))

    def weight(self) -> np.ndarray:
        where = self.strand.weight
        if where is None:
            return np.full(self.events, self.strand.scale)
        return self.strand.scale * self.values(where).astype(np.float64)


def with_rankings(halves: Sequence[Sequence[Strand]], places: Sequence[Place]) -> list[Place]:
    """Return the columns, and one that tells who leads for each collection not stored by falling pT everywhere."""
    pieces = [piece for half in halves for strand in half for piece in strand.pieces]

    def falling(name: str) -> bool:
        return all(by_falling(piece.values[name, PT], piece.offsets[name]) is None for piece in pieces)

    named = dict.fromkeys(name for name, field in places if field == PT and name in pieces[0].offsets)
    return [*places, *((name, RANKING) for name in named if not falling(name))]


def frame_of(
    halves: Sequence[Sequence[Strand]], shape: PackedShape, places: Sequence[Place], processes: Sequence[str]
) -> Frame:
    """Return what the blocks of all halves have in common.

    Raises `InputError` when numbers do not fit into 32 bits; names the column.
    """
    everything = [strand for half in halves for strand in half]
    for strand in everything:
        weights = [_Range(strand, piece, 0, piece.events).weight() for piece in strand.pieces]
        if (largest := largest_beyond(weights, np.dtype(np.float32))) is not None:
            raise InputError(
                f"process {processes[strand.process]!r}: event weights up to {largest:g} do not fit into float32; "
                "check its cross-section and its sum of weights"
            )
    types = {place: _dtype(place, everything) for place in places}
    used = [name for name in shape.objects if any(name == place[0] for place in places)]
    objects, longest = ({name: of[name] for name in used} for of in (shape.objects, shape.longest))
    return Frame(shape.events, types, objects, longest, tuple(processes))


def fill(frame: Frame, strands: Sequence[Strand], blocks: int, which: range, into: Mapping[Name, np.ndarray]) -> None:
    """Write blocks of events.

    Block i of n gets the i-th of n equal parts of each sample: every block has the same mixture, and is as full as the
    others. What is missing in a block is filled up with copies of its last event, which count for nothing. There
    are ``blocks`` in all; those that ``which`` says are written into arrays as `Frame.arrays` describes them for as
    many blocks.
    """
    numbers = np.arange(frame.events, dtype=np.int32)
    for row, block in enumerate(which):
        real = _ranges(strands, block, blocks)
        filled = sum(part.events for part in real)
        # copies of a real event, so that no function meets a value it would not meet otherwise
        parts = [*real, *[real[-1].last] * (frame.events - filled)]
        _join([part.weight() for part in real], into[WEIGHT][row])
        process = into[PROCESS][row]
        process[:] = np.repeat([part.strand.process for part in parts], [part.events for part in parts])
        process[filled:] = len(frame.processes)
        for place in frame.types:
            _join([part.values(place) for part in parts], into["values", *place][row])
        for name in frame.objects:
            line = into["offsets", name, ""][row]
            _join_offsets([part.offsets(name) for part in parts], line)
            _join([np.repeat(numbers, np.diff(line))], into["rows", name, ""][row], fill=frame.events)


def typical_weights(strands: Sequence[Strand], processes: int) -> np.ndarray:
    """Return what one event of each process counts for, ``sum(w**2) / sum(w)``; infinite unless the sum is positive."""
    sums = np.zeros((2, processes))
    for strand in strands:
        for piece in strand.pieces:
            weight = _Range(strand, piece, 0, piece.events).weight()
            sums[:, strand.process] += weight.sum(), np.square(weight).sum()
    positive = sums[0] > 0
    return np.where(positive, sums[1] / np.where(positive, sums[0], 1), np.inf)


def pack(strands: Sequence[Strand], shape: PackedShape, places: Sequence[Place], processes: Sequence[str]) -> Dataset:
    """Return events as a data set of equal blocks.

    Raises `InputError` when integers do not fit into 32 bits; names the column.
    """
    frame = frame_of([strands], shape, places, processes)
    arrays = {name: aligned(*described) for name, described in frame.arrays(shape.blocks).items()}
    fill(frame, strands, shape.blocks, range(shape.blocks), arrays)
    return frame.dataset(arrays, typical_weights(strands, len(processes)))


def _ranges(strands: Sequence[Strand], block: int, blocks: int) -> list[_Range]:
    """Return the events of one block, strand by strand."""
    found = []
    for index, strand in enumerate(strands):
        # the phase lets every strand put its odd event into another block
        phase = index * blocks // len(strands)
        begin, end = ((strand.events * i + phase) // blocks for i in (block, block + 1))
        for piece in strand.pieces:
            start, stop = max(begin, 0), min(end, piece.events)
            if start < stop:
                found.append(_Range(strand, piece, start, stop))
            begin, end = begin - piece.events, end - piece.events
    return found


def _join(pieces: Sequence[np.ndarray], into: np.ndarray, *, fill: int = 0) -> None:
    """Write arrays one after the other, and a number behind them."""
    size = sum(map(len, pieces))
    np.concatenate(pieces, out=into[:size], casting="same_kind")
    into[size:] = fill


def _join_offsets(pieces: Sequence[np.ndarray], into: np.ndarray) -> None:
    """Write the offsets of lists that follow each other."""
    into[0], rows = 0, 0
    for piece in pieces:
        here = into[rows + 1 : rows + len(piece)]
        np.add(piece[1:], into[rows] - piece[0], out=here, casting="same_kind")
        rows += len(here)


def _dtype(place: Place, strands: Sequence[Strand]) -> np.dtype:
    """Return the type that JAX has for a column."""
    if place[1] == RANKING:
        return np.dtype(np.int32)
    pieces = [piece.values[place] for strand in strands for piece in strand.pieces]
    stored = np.result_type(*(piece.dtype for piece in pieces))
    wanted = np.dtype(jax.dtypes.canonicalize_dtype(stored))
    if stored.kind == "f" and (largest := largest_beyond(pieces, wanted)) is not None:
        raise InputError(
            f"{'_'.join(filter(None, place))}: values up to {largest:g} do not fit into {wanted}, where they would be "
            "infinite; enable jax_enable_x64, correct them, or do without this column"
        )
    if stored.kind in "iu" and wanted.itemsize < stored.itemsize:
        limits = np.iinfo(wanted)
        low = min(int(piece.min(initial=0)) for piece in pieces)
        high = max(int(piece.max(initial=0)) for piece in pieces)
        if low < limits.min or high > limits.max:
            raise InputError(
                f"{' '.join(place).strip()}: integers from {low} to {high} do not fit into {wanted}; enable "
                "jax_enable_x64, or do without this column"
            )
    return wanted


def _up(n: int, multiple: int) -> int:
    return max(1, -(-n // multiple)) * multiple
