"""Sources: how events are found and normalised where a fileset of simulated samples does not say it all."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepgrad.analysis import Dataset

from .read import Fileset, Ingredients

if TYPE_CHECKING:
    from .workflow import Workflow


class EventSource(abc.ABC):
    """Finds the events of a workflow: those of the prediction, and the observed ones when it is unblinded.

    A workflow without a source of its own reads the simulated samples of a ``fileset.json``, and has no observed
    events. See `hepgrad.workflows.analyses.htautau` for one with data, and with a background that is estimated
    from them.
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
    def ingredients(self, workflow: Workflow, fileset: Fileset) -> Ingredients:
        """Return what each process is made of; no observed event of the signal selection may be among it.

        Parameters
        ----------
        workflow
            Its processes and its luminosity.
        fileset
            As from `fileset`.
        """

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
