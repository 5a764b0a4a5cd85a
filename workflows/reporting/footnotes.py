"""What a reader of a report's numbers has to know."""

from __future__ import annotations

from hepgrad.analysis import Result

from ..read.estimates.parts import told
from ..results.negative import negative_bins
from ..results.observation import Observation
from ..workflow import Workflow

BLINDED = "Blinded: the observed events of the signal selection have not been used; --unblind shows them."


def notes(workflow: Workflow, result: Result, observation: Observation | None) -> list[str]:
    """Return one sentence each.

    Parameters
    ----------
    workflow
        What was run.
    result
        What the optimisation found.
    observation
        What was observed; None while the analysis is blinded.
    """
    is_blinded = workflow.source is not None and observation is None
    lines = negative_bins(workflow.analysis, result.optimum)
    estimated = (f"{line}." for line in told(workflow.processes))
    return [*([BLINDED] if is_blinded else []), *estimated, *(f"With the optimised cuts, {line}." for line in lines)]
