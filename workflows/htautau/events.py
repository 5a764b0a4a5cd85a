"""Reading: opposite-charge simulation, the multijet estimate from same-charge events, and the observed events."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import awkward as ak
import numpy as np

from hepgrad.analysis import Dataset, Split, default_block_size

from ..errors import InputError
from ..read import Fileset, read_events
from ..source import Ingredient, Keep, Source
from ..workflow import Workflow
from .samples import DATA, PERIODS, find_samples

Weighted: TypeAlias = tuple[ak.Array, np.ndarray]

DECIDING = ("q_1", "q_2", "gen_match")


def opposite_charges(events: ak.Array) -> ak.Array:
    """Return whether muon and tau have opposite charges, as the decay of a neutral particle leaves them.

    Parameters
    ----------
    events
        With ``q_1`` and ``q_2``.

    Examples
    --------
    >>> import awkward as ak
    >>> from hepgrad.workflows.htautau.events import opposite_charges
    >>> opposite_charges(ak.Array({"q_1": [1, -1], "q_2": [1, 1]})).tolist()
    [False, True]
    """
    return events.q_1 * events.q_2 < 0


def equal_charges(events: ak.Array) -> ak.Array:
    """Return whether muon and tau have equal charges.

    Parameters
    ----------
    events
        With ``q_1`` and ``q_2``.
    """
    return ~opposite_charges(events)


@dataclasses.dataclass(frozen=True)
class TauPairs(Source):
    """Pairs of a muon and a hadronic tau in flat files.

    The prediction of a process is its simulated events with opposite charges. One process simulation does not describe:
    jets that are mistaken for both leptons, which have opposite charges about as often as equal ones. It is estimated
    by all *data* with equal charges, each counted ``transfer`` times, less simulated events with equal charges, each
    counted ``-transfer`` times its weight. These are events like any other: the estimate follows the cuts, and its
    gradient is exact. Where it holds few events a bin may be negative; see `TemplateModel`.

    Attributes
    ----------
    estimated
        The process that is estimated from events with equal charges; its samples are the data and what to subtract.
    transfer
        Opposite over equal charges among its events.
    parts
        For processes that are a part of their samples only: a function that tells which events are theirs.
    """

    estimated: str
    transfer: float
    parts: Mapping[str, Keep] = dataclasses.field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """Return the transfer factor."""
        return {"estimated": self.estimated, "transfer": self.transfer}

    def fileset(self, data: Path) -> Fileset:
        """Return the samples of a folder; see `find_samples`."""
        return find_samples(data)

    def luminosity(self, fileset: Fileset) -> float:
        """Return the integrated luminosity of the collision data that are there, in 1/pb."""
        return sum(PERIODS[Path(file).name] for file in fileset[DATA].files)

    def load(self, workflow: Workflow, fileset: Fileset) -> Split:
        """Read the prediction and divide it: in each file events with an even index train, others are held out.

        Each half is weighted to the whole. Of the data only events with equal charges are kept.

        Parameters
        ----------
        workflow, fileset
            As for `Source.load`.

        Raises
        ------
        InputError
            When the data are a sample of another process than the estimated one, which would unblind them.
        """
        for process in workflow.processes:
            if DATA in process.datasets and process.name != self.estimated:
                raise InputError(f"process {process.name!r}: collision data are no prediction, only simulation is")
        recipe = self.ingredients(workflow, fileset)
        names = dict.fromkeys(ingredient.sample for each in recipe.values() for ingredient in each)
        samples = {name: _read(workflow, fileset, name) for name in names}
        halves: tuple[dict[str, list[Weighted]], dict[str, list[Weighted]]] = ({}, {})
        for name, ingredients in recipe.items():
            for ingredient in ingredients:
                events = samples[ingredient.sample]
                kept = np.all([keep(events) for keep in ingredient.keep], axis=0)
                index = np.arange(len(events))
                for remainder, half in enumerate(halves):
                    inside = index % 2 == remainder
                    chosen = events[kept & inside]
                    weight = np.full(len(chosen), ingredient.factor * len(events) / np.count_nonzero(inside))
                    half.setdefault(name, []).append((chosen, weight))
        # as many blocks of one size, so that the halves share their compiled programs
        most = max(sum(len(weight) for parts in half.values() for _, weight in parts) for half in halves)
        blocks = max(2, -(-most // (workflow.block_size or default_block_size())))
        return Split(*(_dataset(half, workflow, -(-most // blocks)) for half in halves))

    def ingredients(self, workflow: Workflow, fileset: Fileset) -> Mapping[str, Sequence[Ingredient]]:
        """Return what each process is made of; the estimated one of events with equal charges.

        Parameters
        ----------
        workflow, fileset
            As for `Source.load`.
        """
        recipe = {}
        for process in workflow.processes:
            is_estimated = process.name == self.estimated
            keep = [equal_charges if is_estimated else opposite_charges, self.parts.get(process.name)]
            factors = {name: fileset[name].events_per_weight(workflow.luminosity) for name in process.datasets}
            if is_estimated:
                factors = {n: f * (self.transfer if n == DATA else -self.transfer) for n, f in factors.items()}
            kept: dict[str, Any] = {"keep": tuple(filter(None, keep)), "reads": DECIDING}
            recipe[process.name] = [Ingredient(name, factor, **kept) for name, factor in factors.items()]
        return recipe

    def observed(self, workflow: Workflow, fileset: Fileset) -> Dataset:
        """Read the data with opposite charges.

        Parameters
        ----------
        workflow, fileset
            As for `Source.observed`.
        """
        events = _read(workflow, fileset, DATA)
        events = events[opposite_charges(events)]
        return _dataset({DATA: [(events, np.ones(len(events)))]}, workflow, workflow.block_size)


def _read(workflow: Workflow, fileset: Fileset, name: str) -> ak.Array:
    wanted = list(dict.fromkeys([*workflow.analysis.reads, *DECIDING]))
    return read_events(fileset[name].files, wanted, tree=workflow.tree, layout=workflow.layout)


def _dataset(parts: Mapping[str, list[Weighted]], workflow: Workflow, block_size: int | None) -> Dataset:
    # events are in single precision, whatever the file has
    branches = list(workflow.analysis.reads)
    samples = {
        name: ak.values_astype(ak.concatenate([events for events, _ in chosen])[branches], np.float32)
        for name, chosen in parts.items()
    }
    weights = {name: np.concatenate([weight for _, weight in chosen]) for name, chosen in parts.items()}
    return Dataset.from_awkward(samples, weights, block_size=block_size)
