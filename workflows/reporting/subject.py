"""What a report says beside the numbers: the title, the processes and channels, and how plots are labelled."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from hepgrad.analysis import Channel, Regular, Variable

from ..errors import InputError, blaming
from ..files.stored_files import read_json
from ..read.process import Process
from ..results.file_names import SUBJECT
from ..results.run_folder import RunFolder
from ..workflow import Workflow


@dataclasses.dataclass(frozen=True)
class Subject:
    """Whatever of a workflow its report shows, so that a run folder can tell it without the workflow.

    Attributes
    ----------
    title
        One line.
    luminosity
        In 1/pb.
    energy
        Centre-of-mass energy in TeV.
    experiment
        What plots say at the top left; the style of its first word is used if mplhep has it.
    processes
        In the order of the histograms.
    predicted
        Names of those that make up the prediction.
    channels
        Names, axes, and which parameters hold edges.
    notes
        What a reader of the numbers has to know, one sentence each.
    plots
        Columns and bins of the control plots.
    """

    title: str
    luminosity: float
    energy: float
    experiment: str
    processes: tuple[Process, ...]
    predicted: tuple[str, ...]
    channels: tuple[Channel, ...]
    notes: tuple[str, ...] = ()
    plots: tuple[Channel, ...] = ()

    @classmethod
    def of(cls, workflow: Workflow, *notes: str) -> Subject:
        """Return what the report of a workflow shows.

        Parameters
        ----------
        workflow
            What was run.
        *notes
            What a reader of the numbers has to know.
        """
        return cls(
            workflow.title,
            workflow.luminosity,
            workflow.energy,
            workflow.experiment,
            tuple(workflow.processes),
            tuple(process.name for process in workflow.predicted),
            tuple(workflow.analysis.channels),
            notes,
            tuple(workflow.plots),
        )

    @classmethod
    def read(cls, folder: Path) -> Subject:
        """Return what `write` left in a run folder.

        Parameters
        ----------
        folder
            The run folder.

        Raises
        ------
        InputError
            When it left nothing, or something else.
        """
        path = folder / SUBJECT
        with blaming(f"{path} does not tell what a report shows"):
            try:
                return cls.from_dict(read_json(path))
            except FileNotFoundError:
                raise InputError(
                    f"{folder} has no {SUBJECT}, from which a report is made: `hepgrad run` writes it for a workflow "
                    "that optimises cuts; scans and studies have no report"
                ) from None

    def write(self, folder: RunFolder) -> None:
        """Write it into a run folder.

        Parameters
        ----------
        folder
            Where to.
        """
        folder.write_json(SUBJECT, self.to_dict())

    @property
    def prediction(self) -> tuple[Process, ...]:
        """The processes that make up the prediction."""
        return tuple(process for process in self.processes if process.name in self.predicted)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; `from_dict` is the inverse.

        Examples
        --------
        >>> from hepgrad.workflows.reporting.subject import Subject
        >>> from hepgrad.workflows.analyses.zprime import ZPRIME
        >>> subject = Subject.of(ZPRIME)
        >>> Subject.from_dict(subject.to_dict()).channels[0].axis == subject.channels[0].axis
        True
        """
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            **plain,
            # how data estimate a process are functions of the user, which a report does not show
            "processes": [dataclasses.asdict(dataclasses.replace(each, estimate=None)) for each in self.processes],
            "channels": [_channel_entry(channel) for channel in self.channels],
            "plots": [_channel_entry(channel) for channel in self.plots],
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Subject:
        """Return what `to_dict` wrote down; of channels no more than what a report shows.

        Parameters
        ----------
        content
            From JSON.
        """
        processes = tuple(Process(**process) for process in content["processes"])
        channels, plots = (tuple(map(_channel, content.get(name, ()))) for name in ("channels", "plots"))
        lists = {name: tuple(content[name]) for name in ("predicted", "notes")}
        return cls(**{**content, **lists, "processes": processes, "channels": channels, "plots": plots})


def _channel_entry(channel: Channel) -> dict[str, Any]:
    axis = channel.axis
    described = {name: getattr(axis, name) for name in ("name", "label", "unit", "flow")}
    bins: dict[str, Any] = {"edges": axis.edges.tolist()}
    if isinstance(axis, Regular):
        bins = {"bins": axis.bins, "start": axis.start, "stop": axis.stop}
    named = {name: getattr(channel, name) for name in ("name", "observable", "region", "edges")}
    return {**named, "axis": {**bins, **described}}


def _channel(entry: dict[str, Any]) -> Channel:
    axis = entry["axis"]
    return Channel(**{**entry, "axis": (Variable if "edges" in axis else Regular)(**axis)})
