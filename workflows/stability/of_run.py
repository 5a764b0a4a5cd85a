"""What a run tells of its optimum beside the result: cuts that were moved."""

from __future__ import annotations

import dataclasses
from typing import Any

from rich.table import Table

from hepgrad.analysis import Folds, Result
from hepgrad.analysis.data.split import Part

from ..messages.terminal import Console
from ..results import file_names
from ..results.cut_profiles import Robustness
from ..results.cut_values import free_numbers
from ..results.robustness import expected_seconds, robustness
from ..results.run_folder import RunFolder
from ..workflow import Workflow

# values over the range of each cut that is moved, which is done by default if it takes at most so many seconds
POINTS, CHEAP = 7, 30.0


@dataclasses.dataclass(frozen=True)
class Stability:
    """How far an optimum can be trusted.

    Attributes
    ----------
    moved
        Every cut moved alone; None where that was left out.
    """

    moved: Robustness | None

    @classmethod
    def of(
        cls, workflow: Workflow, result: Result, judging: Part | Folds, console: Console, *, moving: bool | None = None
    ) -> Stability:
        """Return what is asked for, and what costs little.

        Parameters
        ----------
        workflow
            What was run.
        result
            What the optimisation found.
        judging
            The held-out events; of a cross-fit, all folds.
        console
            Is told what is left out.
        moving
            Whether cuts are moved; None for where that costs little.
        """
        return cls(_moved(workflow, result, judging, console, moving))

    def tables(self) -> list[Table]:
        """Return all tables."""
        return [] if self.moved is None else self.moved.tables()

    def write(self, folder: RunFolder) -> None:
        """Write what a report tells of it.

        Parameters
        ----------
        folder
            Of the run.
        """
        if self.moved is not None:
            folder.write_json(file_names.ROBUSTNESS, self.moved.to_dict())


def _moved(
    workflow: Workflow, result: Result, judging: Part | Folds, console: Console, moving: bool | None
) -> Robustness | None:
    if moving is False or not free_numbers(result.optimum.parameters):
        return None
    # as many replicas as those of the improvement, whose program there is already
    scene = workflow.analysis, judging, *result.judging
    how: dict[str, Any] = {"points": POINTS, "replicas": workflow.replicas, "seed": workflow.seed}
    if moving is None and (seconds := expected_seconds(*scene, **how)) > CHEAP:
        told = f"moving every cut alone would take about {seconds / 60:.1f} min and is left out; --moving does it"
        console.print(told, soft_wrap=True)
        return None
    return robustness(*scene, **how)
