"""Which events: opposite-charge simulation, the multijet estimate from same-charge events, the observed events."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from hepgrad.analysis import Dataset

from ...errors import InputError
from ...read import Fileset, Ingredient, Ingredients, Keep, read_events
from ...workflow import EventSource, Workflow
from .samples import DATA, PERIODS, find_samples

DECIDING = ("q_1", "q_2", "gen_match")


def opposite_charges(events: ak.Array) -> ak.Array:
    """Return whether muon and tau have opposite charges, as the decay of a neutral particle leaves them.

    Examples
    --------
    >>> import awkward as ak
    >>> from hepgrad.workflows.analyses.htautau.events import opposite_charges
    >>> opposite_charges(ak.Array({"q_1": [1, -1], "q_2": [1, 1]})).tolist()
    [False, True]
    """
    return events.q_1 * events.q_2 < 0


def equal_charges(events: ak.Array) -> ak.Array:
    """Return whether muon and tau have equal charges."""
    return ~opposite_charges(events)


@dataclasses.dataclass(frozen=True)
class TauPairs(EventSource):
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

    def ingredients(self, workflow: Workflow, fileset: Fileset) -> Ingredients:
        """Return what each process is made of: of the data, only events with equal charges.

        Raises `InputError` when the data are a sample of another process than the estimated one, which would unblind
        them.
        """
        found: dict[str, list[Ingredient]] = {}
        for process in workflow.processes:
            is_estimated = process.name == self.estimated
            if DATA in process.datasets and not is_estimated:
                raise InputError(f"process {process.name!r}: collision data are no prediction, only simulation is")
            charges = equal_charges if is_estimated else opposite_charges
            keep = tuple(filter(None, (charges, self.parts.get(process.name))))
            found[process.name] = []
            for name, sample in process.samples(fileset).items():
                counts = 1.0 if not is_estimated else self.transfer if name == DATA else -self.transfer
                part = dataclasses.replace(sample, keep=keep, reads=DECIDING)
                found[process.name].append(Ingredient(part, counts * sample.events_per_weight(workflow.luminosity)))
        return found

    def observed(self, workflow: Workflow, fileset: Fileset) -> Dataset:
        """Read the data with opposite charges."""
        branches = list(workflow.analysis.reads)
        wanted = list(dict.fromkeys([*branches, *DECIDING]))
        events = read_events(fileset[DATA].files, wanted, tree=workflow.tree, layout=workflow.layout)
        events = events[opposite_charges(events)][branches]
        return Dataset.from_awkward({DATA: events}, {DATA: np.ones(len(events))}, block_size=workflow.block_size)
