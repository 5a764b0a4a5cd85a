"""A workflow: an analysis together with the events it runs on and the settings of its optimisation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from hepgrad.analysis import Analysis, Anneal, Parameters

from .errors import InputError
from .process import Process as Process


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workflow:
    """Everything that `run` needs to go from ROOT files to a report.

    Attributes
    ----------
    name
        Short name, for the command line and folders.
    title
        One line, for people.
    analysis
        Stages, channels, statistical model and objective.
    parameters
        The cut values to start from.
    processes
        The parts of the prediction.
    luminosity
        Integrated luminosity in 1/pb that event weights are normalised to.
    data
        Folder with a ``fileset.json``, or such a file.
    energy
        Centre-of-mass energy in TeV, for the labels of plots.
    steps
        Steps of the optimisation.
    learning_rate
        Of Adam, in units of the parameters' scales.
    anneal
        The width factor of the soft cuts from step to step.
    check_every
        Steps between hard evaluations on the training events.
    block_size
        Events per block; by default what suits the device.

    Raises
    ------
    ValueError
        When two processes share a name, no process is the signal, or the statistical model has another signal.
    """

    name: str
    title: str
    analysis: Analysis
    parameters: Parameters
    processes: Sequence[Process]
    luminosity: float
    data: Path
    energy: float = 13.0
    steps: int = 300
    learning_rate: float = 0.1
    anneal: Anneal = dataclasses.field(default_factory=Anneal)
    check_every: int = 10
    block_size: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "processes", tuple(self.processes))
        object.__setattr__(self, "data", Path(self.data))
        names = [process.name for process in self.processes]
        if len(set(names)) < len(names):
            raise ValueError(f"workflow {self.name!r}: every process needs a name of its own, got {names}")
        marked = sorted(process.name for process in self.processes if process.signal)
        expected = sorted(self.analysis.model.signal)
        if marked != expected:
            raise ValueError(
                f"workflow {self.name!r}: the processes marked as signal are {marked}, but the statistical model's "
                f"signal is {expected}"
            )

    def with_datasets(self, datasets: Mapping[str, Sequence[str]]) -> Workflow:
        """Return the workflow with other samples for some processes, for filesets that name them otherwise.

        Parameters
        ----------
        datasets
            By process, the names of its samples in the fileset.

        Raises
        ------
        InputError
            For a process that the workflow does not have.
        """
        names = [process.name for process in self.processes]
        unknown = [name for name in datasets if name not in names]
        if unknown:
            raise InputError(
                f"workflow {self.name!r} has no process {unknown[0]!r}; its processes are {', '.join(names)}"
            )
        changed = [
            dataclasses.replace(p, datasets=tuple(datasets[p.name])) if p.name in datasets else p
            for p in self.processes
        ]
        return dataclasses.replace(self, processes=changed)

    def with_start(self, values: Mapping[str, float]) -> Workflow:
        """Return the workflow with other cut values to start from.

        Parameters
        ----------
        values
            New values by parameter, in the parameter's unit.

        Raises
        ------
        InputError
            For a name that is not a parameter, or a value outside the parameter's bounds.
        """
        try:
            return dataclasses.replace(self, parameters=self.parameters.replace(**values))
        except (KeyError, ValueError) as error:
            raise InputError(f"workflow {self.name!r}: {error.args[0]}") from error
