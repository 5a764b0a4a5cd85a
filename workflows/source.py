"""Sources: how events are found and read where a fileset of simulated samples does not say it all."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import awkward as ak

from hepgrad.analysis import Dataset, Split

from .read import Fileset

if TYPE_CHECKING:
    from .workflow import Workflow


# from events to booleans
Keep: TypeAlias = Callable[[ak.Array], ak.Array]


@dataclasses.dataclass(frozen=True)
class Ingredient:
    """What a sample adds to a process.

    Attributes
    ----------
    sample
        Its name in the fileset.
    factor
        Expected events per unit of weight.
    weight
        The column with the weight of each event; ``""`` where every event counts the same.
    keep
        Which of its events: those for which all of these plain functions are true.
    reads
        The columns that these look at.
    """

    sample: str
    factor: float
    weight: str = ""
    keep: tuple[Keep, ...] = ()
    reads: tuple[str, ...] = ()


class Source(abc.ABC):
    """Finds and reads the events of a workflow: those of the prediction, and the observed ones when it is unblinded.

    A workflow without a source of its own reads the simulated samples of a ``fileset.json``, and has no observed
    events. See `hepgrad.workflows.htautau` for one with data, and with a background that is estimated from them.
    """

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return what determines the prediction beside the samples, as JSON can hold it."""

    @abc.abstractmethod
    def fileset(self, data: Path) -> Fileset:
        """Return which files make up which sample.

        Parameters
        ----------
        data
            Where the user says that the events are.

        Raises
        ------
        InputError
            When they are not there.
        """

    @abc.abstractmethod
    def luminosity(self, fileset: Fileset) -> float:
        """Return the integrated luminosity of the observed events, which the prediction is normalised to, in 1/pb.

        Parameters
        ----------
        fileset
            As from `fileset`.
        """

    @abc.abstractmethod
    def load(self, workflow: Workflow, fileset: Fileset) -> Split:
        """Read the events of the prediction; no observed event of the signal selection is among them.

        Parameters
        ----------
        workflow
            Its processes, its branches and its luminosity.
        fileset
            As from `fileset`.
        """

    def ingredients(self, workflow: Workflow, fileset: Fileset) -> Mapping[str, Sequence[Ingredient]] | None:
        """Return what each process is made of, so that it can be written into a script; None where it is no such sum.

        Parameters
        ----------
        workflow, fileset
            As for `load`.
        """
        return None

    @abc.abstractmethod
    def observed(self, workflow: Workflow, fileset: Fileset) -> Dataset:
        """Read the observed events, as the only process; called only to unblind.

        Parameters
        ----------
        workflow
            Its branches.
        fileset
            As from `fileset`.
        """
