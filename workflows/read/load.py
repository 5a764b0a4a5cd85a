"""From a fileset to the two halves of a data set: normalised, split, packed into blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hepgrad.analysis import Split

from ..errors import InputError
from ..process import Process
from .fileset import Fileset
from .layout import NANOAOD, Layout
from .packing import Shape, Strand, pack
from .reader import Request, Skim, StoredSample, Watcher
from .sample import Sample


class SampleCache(Protocol):
    """What `load` asks of a cache."""

    def read(self, sample: Sample, request: Request) -> StoredSample:
        """Return a sample, from the cache if it is there.

        Parameters
        ----------
        sample
            What to read.
        request
            What of it.
        """


def load(
    fileset: Fileset,
    processes: Sequence[Process],
    branches: Sequence[str],
    *,
    luminosity: float,
    block_size: int | None = None,
    tree: str = "Events",
    layout: Layout = NANOAOD,
    skim: Skim | None = None,
    skip_bad_files: bool = False,
    cache: SampleCache | None = None,
    watch: Watcher | None = None,
) -> Split:
    """Read, normalise and split events.

    A simulated event counts for ``cross_section * luminosity * genWeight / sum_of_weights`` (see `Sample`). In each
    sample the events with an even index are for training and those with an odd one are held out. Both halves stand for
    the full luminosity: weights are multiplied by the number of the sample's events over the number in the half (2, for
    an even number), which leaves the expectation of every yield unchanged.

    Without ``skip_bad_files`` every file has to be readable. With it, a sample stands for the files, and the parts of
    files, that were read: its ``sum_of_weights`` is multiplied by the share of it that they hold by the ``sumw`` (or
    ``nevts``) of its files in the fileset. A warning names each file that was skipped.

    Parameters
    ----------
    fileset
        Files, cross-sections and sums of weights.
    processes
        The parts of the prediction, each of one or more samples.
    branches
        What the analysis reads (`Analysis.reads`); the weights are read anyway.
    luminosity
        In 1/pb.
    block_size
        Events per block, about: all blocks get as many.
    tree
        Name of the tree in every file.
    layout
        How the files call the columns.
    skim
        Drops events and objects that no cut values could accept, as soon as they are read.
    skip_bad_files
        Go on without files that cannot be read.
    cache
        Where samples are kept for the next time (`hepgrad.workflows.cache.Cache`); nowhere by default.
    watch
        Is told how far the reading has come.

    Returns
    -------
    Split
        The training and the held-out half.

    Raises
    ------
    InputError
        As from `read_events` and `Sample.events_per_weight`, and for weights that are NaN or infinite (names sample,
        file and their number) and samples with fewer than two events.

    Warns
    -----
    InputWarning
        For every file that was skipped.
    """
    if not (np.isfinite(luminosity) and luminosity > 0):
        raise InputError(f"the luminosity must be positive, got {luminosity} /pb")
    request = Request(tuple(branches), tree, layout, skip_bad_files, skim=skim, watch=watch)
    # before reading: a missing number should not take minutes to find
    parts = [
        (index, sample, sample.events_per_weight(luminosity))
        for index, process in enumerate(processes)
        for sample in process.samples(fileset).values()
    ]
    read = StoredSample.read if cache is None else cache.read
    # a sample may serve several processes
    stored = {name: read(fileset[name], request) for name in dict.fromkeys(sample.name for _, sample, _ in parts)}
    halves: tuple[list[Strand], list[Strand]] = ([], [])
    for index, sample, scale in parts:
        whole = stored[sample.name]
        if whole.events < len(halves):
            raise InputError(
                f"sample {sample.name!r} has one event, at least two are needed: one to train on and one to hold out"
            )
        for strands, pieces, factor in zip(halves, whole.halves, whole.factors, strict=True):
            if pieces:
                strands.append(Strand(index, pieces, scale * factor, request.weight(sample)))
    for index, process in enumerate(processes):
        if not all(any(strand.process == index for strand in half) for half in halves):
            raise InputError(f"process {process.name!r}: the skim leaves no events to train on, or none to hold out")
    shape = Shape.of(halves, block_size)
    names = [process.name for process in processes]
    train, held_out = (pack(half, shape, request.places(), names) for half in halves)
    return Split(train, held_out)
