"""Select the events that fulfil conditions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ..selection.events import Events
from ..selection.threshold import Cuts
from .declared import DeclaredStage
from .expression import all_parameters, all_reads, parse, several


@dataclasses.dataclass(frozen=True)
class EventSelection(DeclaredStage):
    """Keep the events that fulfil all conditions; each is a step of the cutflow.

    Attributes
    ----------
    conditions
        On an event, see `parse`: ``"num(Jet) >= 4"``, ``"MET.pt > cut.met"``, ``"leading(Jet.pt) > cut.lead"``.

    Raises
    ------
    TypeError
        When the conditions are one text instead of a list.
    ValueError
        When a condition is not understood.

    Examples
    --------
    >>> from hepgrad.analysis.stages import EventSelection
    >>> selection = EventSelection(["num(Muon) == 1", "num(BJet) >= 1", "MET.pt > cut.met"])
    >>> selection.reads, selection.parameters
    (('MET_pt',), ('met',))
    """

    conditions: Sequence[str]

    def __post_init__(self) -> None:
        conditions = several(self.conditions)
        self.settle(
            name="event selection",
            reads=all_reads(conditions),
            parameters=all_parameters(conditions),
            conditions=conditions,
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Select events; the arguments are those of every stage."""
        for condition in self.conditions:
            events = events.select(parse(condition)(events, cut), condition)
        return events
