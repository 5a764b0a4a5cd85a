"""What has to be read for an analysis, and what was read: parts of processes, weighted, not yet in blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from hepgrad import ragged as rg
from hepgrad.analysis import Folds, Split, fold_numbers

from ..errors import InputError, blaming
from .files.paths import check_distinct
from .ingredient import Ingredients
from .packing.blocks import Frame
from .packing.columns import Place
from .packing.packing import PackedShape, Strand, frame_of, pack, with_rankings
from .reader import ReadWatcher, Request, StoredSample
from .sample import Sample
from .trust.agreement import check_copies, check_totals
from .trust.overlap import check_overlap

# the column by which events are divided into folds, and where the fold of each is kept
EVENT = "event"
FOLD: Place = ("hepgrad fold", "")


class SampleCache(Protocol):
    """What a recipe asks of a cache."""

    def read(self, sample: Sample, request: Request) -> StoredSample:
        """Return a sample, from the cache if it is there."""


@dataclasses.dataclass(frozen=True, eq=False)
class Collected:
    """The events of both halves, or all of them together, in memory or memory-mapped.

    Attributes
    ----------
    halves
        The parts of all processes, for training and held out; one list where they are not divided.
    places
        The columns that become columns of data sets, and those that tell which object leads.
    processes
        Their names.
    keys
        For each part of a half that the cache has, what its columns depend on, as JSON can hold it; None where it is
        not known.
    """

    halves: tuple[Sequence[Strand], ...]
    places: Sequence[Place]
    processes: Sequence[str]
    keys: tuple[Any, ...]

    def framed(self, block_size: int | None, *, multiple_of: int = 1) -> tuple[PackedShape, Frame]:
        """Return how many blocks there are in either half, and what they have in common.

        A block has about ``block_size`` events, by default what suits the device; the number of blocks is a multiple of
        ``multiple_of``.
        """
        shape = PackedShape.of(self.halves, block_size, multiple_of=multiple_of)
        return shape, frame_of(self.halves, shape, self.places, self.processes)

    def packed(self, block_size: int | None) -> Split:
        """Return both halves as data sets in memory."""
        shape = PackedShape.of(self.halves, block_size)
        train, held_out = (pack(half, shape, self.places, self.processes) for half in self.halves)
        return Split(train, held_out)

    def folded(self, k: int, block_size: int | None) -> Folds:
        """Return events that are not divided as ``k`` folds in memory, by their numbers.

        Raises `InputError` when a fold cannot stand for the whole of a process, or something else stands in place of
        event numbers.
        """
        (every,) = ([_numbered(strand, k, self.processes[strand.process]) for strand in half] for half in self.halves)
        data = pack(every, PackedShape.of([every], block_size), [*self.places, FOLD], self.processes)
        columns = {name: column for name, column in data.columns.columns.items() if name != FOLD[0]}
        fold = np.asarray(data.columns.columns[FOLD[0]])
        with blaming("these events cannot be cross-fitted; take fewer folds, or a held-out half (folds=1)"):
            return Folds.of(dataclasses.replace(data, columns=rg.RecordArray(columns)), fold, k)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is read for an analysis, and how: enough to do it again, also on another machine.

    Attributes
    ----------
    ingredients
        By process, its samples and what their events count for (`simulated`).
    request
        What is read of each sample, and how.
    cache
        Where samples are kept for the next time; nowhere by default.
    """

    ingredients: Ingredients
    request: Request
    cache: SampleCache | None = None

    def samples(self) -> list[Sample]:
        """Return the samples that are read; one may serve several processes."""
        every = (ingredient.sample for ingredients in self.ingredients.values() for ingredient in ingredients)
        return list(dict.fromkeys(every))

    def read(self, sample: Sample, watch: ReadWatcher | None = None) -> StoredSample:
        """Return one sample, by way of the cache if there is one.

        Raises `InputError` as `hepgrad.workflows.load` does.
        """
        read = StoredSample.read if self.cache is None else self.cache.read
        stored = read(sample, self.request if watch is None else dataclasses.replace(self.request, watch=watch))
        check_totals(sample, stored.totals, self.request.not_finite, complete=stored.fraction == 1)
        return stored

    def collect(self, watch: ReadWatcher | None = None) -> Collected:
        """Read everything.

        Raises `InputError` as `hepgrad.workflows.load` does.
        """
        stored = self._stored(watch)
        halves: tuple[list[Strand], list[Strand]] = ([], [])
        keys = []
        for index, (process, ingredients) in enumerate(self.ingredients.items()):
            for sample, scale in ((ingredient.sample, ingredient.factor) for ingredient in ingredients):
                whole = stored[sample]
                if whole.events < len(halves):
                    raise InputError(
                        f"sample {sample.name!r} has one event, at least two are needed: one to train on and one to "
                        "hold out"
                    )
                if not all(whole.totals.halves):
                    raise InputError(
                        f"sample {sample.name!r}: by their numbers all {whole.events} events are one event, of which "
                        "none can be held out; if the numbers mean something else, map `event` to another branch in "
                        "the layout"
                    )
                keys.append(whole.key)
                for strands, pieces, factor in zip(halves, whole.halves, whole.factors, strict=True):
                    if pieces:
                        strands.append(Strand(index, pieces, scale * factor, self.request.weight(sample)))
            if not all(any(strand.process == index for strand in half) for half in halves):
                raise InputError(f"process {process!r}: no events are left to train on, or none to hold out")
        return Collected(halves, with_rankings(halves, self.request.places()), list(self.ingredients), tuple(keys))

    def collect_whole(self, watch: ReadWatcher | None = None) -> Collected:
        """Read everything, and divide nothing: each event counts what it is worth.

        ``watch`` is told how far the reading has come. Raises `InputError` as `hepgrad.workflows.load` does.
        """
        stored = self._stored(watch)
        strands = [
            Strand(index, pieces, i.factor / stored[i.sample].fraction, self.request.weight(i.sample))
            for index, ingredients in enumerate(self.ingredients.values())
            for i in ingredients
            if (pieces := [piece for half in stored[i.sample].halves for piece in half])
        ]
        for index, process in enumerate(self.ingredients):
            if not any(strand.process == index for strand in strands):
                raise InputError(f"process {process!r}: no events are left")
        keys = tuple(stored[i.sample].key for ingredients in self.ingredients.values() for i in ingredients)
        return Collected((strands,), with_rankings([strands], self.request.places()), list(self.ingredients), keys)

    def _stored(self, watch: ReadWatcher | None) -> dict[Sample, StoredSample]:
        """Return all samples, of which no event is there twice."""
        _check_files(self.samples())
        for process, ingredients in self.ingredients.items():
            check_overlap(process, [ingredient.sample for ingredient in ingredients], self.request)
        stored = {sample: self.read(sample, watch) for sample in self.samples()}
        _check_copies(stored)
        _check_depths(stored)
        return stored


def _numbered(strand: Strand, k: int, process: str) -> Strand:
    """Return a part of a process with the fold of each event as one more column."""
    pieces = []
    for piece in strand.pieces:
        with blaming(f"events are divided into folds by {EVENT!r}, a whole number for each"):
            fold = fold_numbers(piece.values[EVENT, ""], k, process=process).astype(np.int32)
        pieces.append(dataclasses.replace(piece, values={**piece.values, FOLD: fold}))
    return dataclasses.replace(strand, pieces=pieces)


def _check_files(samples: Sequence[Sample]) -> None:
    """Refuse samples that add the same events twice: they share a file, and take the same of it."""
    for same in _alike(samples):
        check_distinct([file for sample in same for file in sample.files], _named(same))


def _check_copies(stored: Mapping[Sample, StoredSample]) -> None:
    """Refuse samples of which one has a copy of a file of another one, and takes the same of it."""
    for same in _alike(stored):
        files = [file for sample in same for file in sample.files]
        check_copies(files, [file.uuid for sample in same for file in stored[sample].totals.files], _named(same))


def _alike(samples: Iterable[Sample]) -> list[list[Sample]]:
    """Return the samples in groups of those that take the same events with the same weights of a file."""
    groups: dict[Any, list[Sample]] = {}
    for sample in {sample.name: sample for sample in samples}.values():
        groups.setdefault((sample.keep, sample.weight, sample.reweight), []).append(sample)
    return list(groups.values())


def _named(samples: Sequence[Sample]) -> str:
    return f"the samples {', '.join(repr(sample.name) for sample in samples)}"


def _check_depths(stored: Mapping[Sample, StoredSample]) -> None:
    """Refuse samples of which one holds lists where another one holds numbers."""
    first: dict[Place, tuple[Sample, bool]] = {}
    for sample, whole in stored.items():
        pieces = [pieces[0] for pieces in whole.halves if pieces]
        for place in pieces[0].values if pieces else ():
            is_list = place[0] in pieces[0].offsets
            other, was_list = first.setdefault(place, (sample, is_list))
            if is_list != was_list:
                lists, numbers = (sample, other) if is_list else (other, sample)
                raise InputError(
                    f"{'_'.join(filter(None, place))} holds a list for each event in {lists.files[0]} (sample "
                    f"{lists.name!r}) and one value for each event in {numbers.files[0]} (sample {numbers.name!r})"
                )
