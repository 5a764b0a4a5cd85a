"""What commands do with what they were given: a workflow, or a study, which draws its own events."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from hepgrad.analysis import Diagnosis

from ..errors import InputError
from ..execution import examine, run
from ..scanning.of_workflows import scan
from ..scanning.search import CutScan
from ..settings.config import laid_over, replaced
from ..studies.study import Study
from ..workflow import Workflow


class Runnable(Protocol):
    """What the commands ask of either."""

    @property
    def name(self) -> str:
        """Its short name."""

    def refuse(self, arguments: argparse.Namespace, *options: str) -> None:
        """Raise `InputError` for an option that means nothing for it, among all that say what to read and these."""

    def examine(self) -> Diagnosis:
        """Tell what is wrong before it runs."""

    def run(self, *, output: Path | None, overwrite: bool, quiet: bool, **how: Any) -> None:
        """Optimise it, and write a run folder."""

    def scan(self, **how: Any) -> CutScan:
        """Evaluate many points, and write them down."""


@dataclasses.dataclass(frozen=True)
class WorkflowSubject:
    """A workflow, and how its events are read."""

    workflow: Workflow
    reading: dict[str, Any]

    @property
    def name(self) -> str:
        """Its short name."""
        return self.workflow.name

    def refuse(self, arguments: argparse.Namespace, *options: str) -> None:
        """Raise nothing."""

    def examine(self) -> Diagnosis:
        """Tell what is wrong before it runs."""
        return examine(self.workflow, **self.reading)

    def run(self, **how: Any) -> None:
        """Optimise it, and write a run folder with a report."""
        run(self.workflow, **self.reading, **how)

    def scan(self, **how: Any) -> CutScan:
        """Evaluate many points, and write them down."""
        return scan(self.workflow, **self.reading, **how)


@dataclasses.dataclass(frozen=True)
class StudySubject:
    """A study: there is nothing to read, and little to choose."""

    study: Study

    @property
    def name(self) -> str:
        """Its short name."""
        return self.study.name

    def refuse(self, arguments: argparse.Namespace, *options: str) -> None:
        """Raise `InputError` for an option that means nothing for it, among all that say what to read and these."""
        for name in ("data", "config", "settings", "cache", "skip_bad_files", "backend", *options):
            if getattr(arguments, name):
                option = "set" if name == "settings" else name.replace("_", "-")
                raise InputError(f"{self.name!r} draws its own events and starts at random: it takes no --{option}")

    def examine(self) -> Diagnosis:
        """Raise `InputError`."""
        raise InputError(f"{self.name!r} draws its own events, there is nothing to check: run it")

    def run(self, *, output: Path | None, overwrite: bool, quiet: bool, **_: Any) -> None:
        """Measure, and write a run folder; other options are refused before."""
        self.study.run(output=output, overwrite=overwrite, quiet=quiet)

    def scan(self, **how: Any) -> CutScan:
        """Evaluate many points, and write them down."""
        return scan(self.study, **how)


def subject_of(
    found: Workflow | Study, arguments: argparse.Namespace, given: Sequence[str], reading: dict[str, Any]
) -> Runnable:
    """Return a workflow or a study with the settings of the command line, of which ``given`` are fields of it."""
    values = {name: getattr(arguments, name) for name in ("data", *given)}
    if isinstance(found, Study):
        return StudySubject(replaced(found, **values))
    workflow = laid_over(found, file=arguments.config, assignments=arguments.settings, **values)
    return WorkflowSubject(workflow, reading)
