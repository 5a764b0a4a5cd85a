"""From flat columns to blocks: every block gets its part of every sample, so that all of them are alike and full."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from hepgrad import ragged as rg
from hepgrad.analysis import Dataset, default_block_size

from ..errors import InputError
from .columns import Columns, Place

# a cache line, which XLA wants its buffers aligned to if it is to use them as they are
ALIGNMENT = 64
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
class Shape:
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
    def of(cls, halves: Sequence[Sequence[Strand]], block_size: int | None) -> Shape:
        """Return the smallest shape that holds all events of each half.

        Parameters
        ----------
        halves
            Lists of strands; they share the shape, and with it their compiled programs.
        block_size
            Events per block, about; by default what suits the device.
        """
        wanted = block_size or default_block_size()
        most = max(-(-sum(strand.events for strand in half) // wanted) for half in halves)
        # one or two less where rounding would leave a block without events
        blocks, each = next(
            (blocks, each)
            for blocks in range(most, 0, -1)
            if all(each := [_ranges(half, block, blocks) for half in halves for block in range(blocks)])
        )
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
        start, stop = self.start, self.stop
        if (offsets := self.piece.offsets.get(place[0])) is not None:
            start, stop = offsets[start], offsets[stop]
        return self.piece.values[place][start:stop]

    def weight(self) -> np.ndarray:
        where = self.strand.weight
        if where is None:
            return np.full(self.events, self.strand.scale)
        return self.strand.scale * self.values(where).astype(np.float64)


def pack(
    strands: Sequence[Strand],
    shape: Shape,
    places: Sequence[Place],
    processes: Sequence[str],
) -> Dataset:
    """Return events as a data set of equal blocks.

    Block i of n gets the i-th of n equal parts of each sample: every block has the same mixture, and is as full as the
    others. What is missing in a block is filled up with copies of its last event, which count for nothing.

    Parameters
    ----------
    strands
        The samples of all processes.
    shape
        Of the blocks, as from `Shape.of`.
    places
        The columns that become columns of the data set.
    processes
        Their names.

    Raises
    ------
    InputError
        When integers do not fit into 32 bits; names the column.
    """
    blocks, events = shape.blocks, shape.events
    lists = [name for name in shape.objects if any(name == place[0] for place in places)]
    weight, process = _aligned((blocks, events), np.float32), _aligned((blocks, events), np.int32)
    values = {p: _aligned((blocks, shape.objects.get(p[0], events)), _dtype(p, strands)) for p in places}
    offsets = {name: _aligned((blocks, events + 1), np.int32) for name in lists}
    rows = {name: _aligned((blocks, shape.objects[name]), np.int32) for name in lists}
    sums = np.zeros((2, len(processes)))
    numbers = np.arange(events, dtype=np.int32)
    for block in range(blocks):
        real = _ranges(strands, block, blocks)
        filled = sum(part.events for part in real)
        # copies of a real event, so that no function meets a value it would not meet otherwise
        parts = [*real, *[real[-1].last] * (events - filled)]
        counted = [part.weight() for part in real]
        _join(counted, weight[block])
        for part, each in zip(real, counted, strict=True):
            sums[:, part.strand.process] += each.sum(), np.square(each).sum()
        process[block] = np.repeat([part.strand.process for part in parts], [part.events for part in parts])
        process[block, filled:] = len(processes)
        for place in places:
            _join([part.values(place) for part in parts], values[place][block])
        for name in lists:
            line = offsets[name][block]
            _join_offsets([part.offsets(name) for part in parts], line)
            _join([np.repeat(numbers, np.diff(line))], rows[name][block], fill=events)

    def column(name: str) -> Any:
        members = {field: jax.device_put(each) for (other, field), each in values.items() if other == name}
        content: Any = members[""] if "" in members else rg.RecordArray(members)
        if name not in lists:
            return content
        row_ids = jax.device_put(rows[name])
        return rg.RaggedArray(jax.device_put(offsets[name]), row_ids, content, None, shape.longest[name], False)

    columns = rg.RecordArray({name: column(name) for name in dict.fromkeys(name for name, _ in places)})
    typical = jax.device_put((sums[1] / np.maximum(sums[0], np.finfo(np.float32).tiny)).astype(np.float32))
    return Dataset(columns, jax.device_put(weight), jax.device_put(process), typical, tuple(processes))


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
    pieces = [piece.values[place] for strand in strands for piece in strand.pieces]
    stored = np.result_type(*(piece.dtype for piece in pieces))
    wanted = np.dtype(jax.dtypes.canonicalize_dtype(stored))
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


def _aligned(shape: tuple[int, int], dtype: Any) -> np.ndarray:
    """Return an array, not filled, that JAX can use on a CPU without a copy."""
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def _up(n: int, multiple: int) -> int:
    return max(1, -(-n // multiple)) * multiple
