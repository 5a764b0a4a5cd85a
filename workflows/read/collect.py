"""What has to be read for an analysis, and what was read: parts of processes, weighted, not yet in blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from hepgrad.analysis import Split

from ..errors import InputError
from .files.paths import check_distinct
from .ingredient import Ingredients
from .packing.blocks import Frame
from .packing.columns import Place
from .packing.packing import Shape, Strand, frame_of, pack, with_rankings
from .reader import ReadWatcher, Request, StoredSample
from .sample import Sample
from .trust.agreement import check_copies, check_totals
from .trust.overlap import check_overlap


class SampleCache(Protocol):
    """What a recipe asks of a cache."""

    def read(self, sample: Sample, request: Request) -> StoredSample:
        """Return a sample, from the cache if it is there."""


@dataclasses.dataclass(frozen=True, eq=False)
class Collected:
    """The events of both halves, in memory or memory-mapped.

    Attributes
    ----------
    halves
        The parts of all processes, for training and held out.
    places
        The columns that become columns of data sets, and those that tell which object leads.
    processes
        Their names.
    keys
        For each part of a half that the cache has, what its columns depend on, as JSON can hold it; None where it is
        not known.
    """

    halves: tuple[Sequence[Strand], Sequence[Strand]]
    places: Sequence[Place]
    processes: Sequence[str]
    keys: tuple[Any, ...]

    def framed(self, block_size: int | None, *, multiple_of: int = 1) -> tuple[Shape, Frame]:
        """Return how many blocks there are in either half, and what they have in common.

        A block has about ``block_size`` events, by default what suits the device; the number of blocks is a multiple of
        ``multiple_of``.
        """
        shape = Shape.of(self.halves, block_size, multiple_of=multiple_of)
        return shape, frame_of(self.halves, shape, self.places, self.processes)

    def packed(self, block_size: int | None) -> Split:
        """Return both halves as data sets in memory."""
        shape = Shape.of(self.halves, block_size)
        train, held_out = (pack(half, shape, self.places, self.processes) for half in self.halves)
        return Split(train, held_out)


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
        request = self.request
        _check_files(self.samples())
        for process, ingredients in self.ingredients.items():
            check_overlap(process, [ingredient.sample for ingredient in ingredients], request)
        stored = {sample: self.read(sample, watch) for sample in self.samples()}
        _check_copies(stored)
        _check_depths(stored)
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
                        strands.append(Strand(index, pieces, scale * factor, request.weight(sample)))
            if not all(any(strand.process == index for strand in half) for half in halves):
                raise InputError(f"process {process!r}: no events are left to train on, or none to hold out")
        return Collected(halves, with_rankings(halves, request.places()), list(self.ingredients), tuple(keys))


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
        groups.setdefault((sample.keep, sample.weight), []).append(sample)
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
