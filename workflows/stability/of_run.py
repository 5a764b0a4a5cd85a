"""What a run tells of its optimum beside the result: cuts moved and left out, and searches that were repeated."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from rich.table import Table

from hepgrad.analysis import Folds, Result, Split

from ..messages.terminal import Console
from ..results import file_names
from ..results.cut_profiles import Robustness
from ..results.robustness import evaluations as of_robustness
from ..results.robustness import robustness
from ..results.run_folder import RunFolder
from ..workflow import Workflow
from .repeated import RepeatedSearch, repeat_search
from .simpler import Simpler, cuts_of, simpler
from .simpler import evaluations as of_simpler

# values over the range of each cut that is moved
POINTS = 7
# by default cuts are moved where no more than so many events are looked at, some seconds' work on a CPU; counted,
# because a clock would make it a matter of what else the machine does. A fit costs what so many events do
CHEAP, FIT = 5e6, 5_000


@dataclasses.dataclass(frozen=True)
class Stability:
    """How far an optimum can be trusted.

    Attributes
    ----------
    moved, simpler
        Every cut moved alone, and left out; None where that was not asked for and is not cheap.
    repeated
        The search again and again; None where that was not asked for.
    """

    moved: Robustness | None = None
    simpler: Simpler | None = None
    repeated: RepeatedSearch | None = None

    @classmethod
    def of(
        cls,
        workflow: Workflow,
        result: Result,
        data: Split | Folds,
        console: Console,
        *,
        moving: bool | None = None,
        repeats: int = 0,
        how: dict[str, Any] | None = None,
    ) -> Stability:
        """Return what is asked for, and what costs little.

        Parameters
        ----------
        workflow
            What was run.
        result
            What the optimisation found.
        data
            The events.
        console
            Is told what is left out.
        moving
            Whether cuts are moved and left out; None for where that costs little.
        repeats
            How often the search is repeated: on all events but those of the first fold, if there are folds.
        how
            Arguments of the search.
        """
        moved, fewer = _moved(workflow, result, data, console, moving)
        repeated = None
        if repeats:
            # a search is on all folds but one
            split = data if isinstance(data, Split) else next(iter(data))
            optimum = result.judging[0]
            repeated = repeat_search(
                workflow.analysis,
                split,
                optimum,
                parameters=workflow.parameters,
                repeats=repeats,
                seed=workflow.seed,
                **(how or {}),
            )
        return cls(moved, fewer, repeated)

    def tables(self) -> list[Table]:
        """Return all tables."""
        return [
            table for each in (self.moved, self.simpler, self.repeated) if each is not None for table in each.tables()
        ]

    def write(self, folder: RunFolder) -> None:
        """Write what a report tells of it.

        Parameters
        ----------
        folder
            Of the run.
        """
        if self.moved is not None:
            folder.write_json(file_names.ROBUSTNESS, self.moved.to_dict())
        if self.simpler is not None:
            folder.write_json(file_names.SIMPLER, self.simpler.to_dict())
        if self.repeated is not None:
            folder.write_json(file_names.REPEATED, self.repeated.to_dict())


def _moved(
    workflow: Workflow, result: Result, data: Split | Folds, console: Console, moving: bool | None
) -> tuple[Robustness | None, Simpler | None]:
    optimum = result.optimum.parameters
    if moving is False or not cuts_of(optimum):
        return None, None
    judging = data.held_out if isinstance(data, Split) else data
    events = float(np.asarray(result.optimum.cutflow.raw)[0].sum())
    work = (of_robustness(optimum, POINTS) + of_simpler(optimum)) * (events + FIT)
    if moving is None and work > CHEAP:
        told = "there are many events and cuts: how much each cut matters is left out; --moving tells it"
        console.print(told, soft_wrap=True)
        return None, None
    moved = robustness(workflow.analysis, judging, *result.judging, points=POINTS)
    return moved, simpler(workflow.analysis, judging, *result.judging)
