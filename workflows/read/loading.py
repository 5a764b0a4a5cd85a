"""From a fileset to the two halves of a data set: normalised, split, packed into blocks."""

from __future__ import annotations

from collections.abc import Sequence

from hepgrad.analysis import Split

from .collect import Recipe, SampleCache
from .fileset import Fileset
from .ingredient import simulated
from .layout import NANOAOD, Layout
from .process import Process
from .reader import ReadWatcher, Request, Skim
from .trust.agreement import NotFinite


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
    not_finite: NotFinite = "refuse",
    cache: SampleCache | None = None,
    watch: ReadWatcher | None = None,
) -> Split:
    """Read, normalise and split events.

    A simulated event counts for ``cross_section * luminosity * genWeight / sum_of_weights`` (see `Sample`). In each
    sample the events with an even index are for training and those with an odd one are held out; events that have the
    same number (run, luminosity block, event; where there are such columns) are in one half. Both halves stand for
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
    not_finite
        What becomes of events with NaN or infinite values in a column that is read: "refuse" (an error that counts them
        by column), "drop" (these events are left out, as by a selection), or "keep".
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
        As from `read_events` and `Sample.events_per_weight`; for weights that are NaN or infinite (names sample,
        file and their number) and samples with fewer than two events; when what was read contradicts what the fileset
        or the files say (`check_totals`), or an event is there twice.

    Warns
    -----
    InputWarning
        For every file that was skipped, and for NaN or infinite values that are dropped or kept.
    """
    request = Request(
        tuple(branches), tree=tree, layout=layout, skim=skim, skip_bad_files=skip_bad_files, not_finite=not_finite
    )
    return Recipe(simulated(processes, fileset, luminosity), request, cache).collect(watch).packed(block_size)
