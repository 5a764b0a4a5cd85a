"""From a fileset to the two halves of a data set: normalised, split, packed into blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import awkward as ak
import numpy as np

from hepgrad.analysis import Dataset, Split

from ..errors import InputError
from ..process import Process
from .fileset import Fileset, Sample
from .nanoaod import read_events

WEIGHT = "genWeight"


@dataclasses.dataclass(frozen=True)
class _Weighted:
    """Events with what each of them counts for."""

    events: ak.Array
    weight: np.ndarray

    def half(self, remainder: int) -> _Weighted:
        kept = slice(remainder, None, 2)
        weight = self.weight[kept]
        return _Weighted(self.events[kept], weight * (len(self.weight) / len(weight)))


def load(
    fileset: Fileset,
    processes: Sequence[Process],
    branches: Sequence[str],
    *,
    luminosity: float,
    block_size: int | None = None,
    tree: str = "Events",
) -> Split:
    """Read, normalise and split simulated events.

    An event counts for ``cross_section * luminosity * genWeight / sum_of_weights``. In each sample the events with an
    even index are for training and those with an odd one are held out. Both halves stand for the full luminosity:
    weights are multiplied by the number of the sample's events over the number in the half (2, for an even number),
    which leaves the expectation of every yield unchanged.

    Parameters
    ----------
    fileset
        Files, cross-sections and sums of weights.
    processes
        The parts of the prediction, each of one or more samples.
    branches
        What the analysis reads (`Analysis.reads`); ``genWeight`` is read anyway.
    luminosity
        In 1/pb.
    block_size
        Events per block.
    tree
        Name of the tree in every file.

    Returns
    -------
    Split
        The training and the held-out half.

    Raises
    ------
    InputError
        As from `read_events` and `Sample.events_per_weight`, and for weights that are NaN or infinite (names process,
        file and their number) and samples with fewer than two events.
    """
    if not (np.isfinite(luminosity) and luminosity > 0):
        raise InputError(f"the luminosity must be positive, got {luminosity} /pb")
    wanted = list(dict.fromkeys(branches))
    halves: tuple[dict[str, list[_Weighted]], dict[str, list[_Weighted]]] = ({}, {})
    for process in processes:
        for name in process.datasets:
            sample = _read_sample(fileset[name], process, wanted, luminosity, tree)
            for remainder, half in enumerate(halves):
                half.setdefault(process.name, []).append(sample.half(remainder))
    train, held_out = (_dataset(half, block_size) for half in halves)
    return Split(train, held_out)


def _read_sample(sample: Sample, process: Process, branches: list[str], luminosity: float, tree: str) -> _Weighted:
    scale = sample.events_per_weight(luminosity)  # before reading: a missing number should not take minutes to find
    events, weights = [], []
    for path in sample.files:
        part = read_events(path, [*branches, WEIGHT], tree=tree)
        weight = ak.to_numpy(part[WEIGHT]).astype(np.float64)
        bad = int(np.count_nonzero(~np.isfinite(weight)))
        if bad:
            raise InputError(
                f"process {process.name!r}: {bad} of {len(weight)} values of {WEIGHT} are NaN or infinite in {path}; "
                "remove these events or correct their weights"
            )
        events.append(part if WEIGHT in branches else part[[name for name in part.fields if name != WEIGHT]])
        weights.append(scale * weight)
    merged = _Weighted(ak.concatenate(events), np.concatenate(weights))
    if len(merged.weight) < 2:
        raise InputError(
            f"process {process.name!r}: sample {sample.name!r} has one event, at least two are needed: "
            "one to train on and one to hold out"
        )
    return merged


def _dataset(half: dict[str, list[_Weighted]], block_size: int | None) -> Dataset:
    samples = {name: ak.concatenate([part.events for part in parts]) for name, parts in half.items()}
    weights = {name: np.concatenate([part.weight for part in parts]) for name, parts in half.items()}
    return Dataset.from_awkward(samples, weights, block_size=block_size)
