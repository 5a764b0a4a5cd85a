"""Select the objects of a collection that fulfil conditions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ..selection.events import Events
from ..selection.threshold import Cuts
from .declared import DeclaredStage
from .expression import all_parameters, all_reads, parse, several, take


@dataclasses.dataclass(frozen=True)
class ObjectSelection(DeclaredStage):
    """Keep the objects of a collection that fulfil all conditions.

    Attributes
    ----------
    collection
        For instance ``"Jet"``.
    conditions
        On the fields of an object, see `parse`: ``"pt > cut.jet_pt"``, ``"abs(eta) < 2.4"``, ``"tightId"``.
    into
        Name of the collection of selected objects; by default they take the place of the original ones.

    Raises
    ------
    TypeError
        When the conditions are one text instead of a list.
    ValueError
        When a condition is not understood.

    Examples
    --------
    >>> from hepgrad.analysis.stages import ObjectSelection
    >>> bjets = ObjectSelection("Jet", ["pt > cut.jet_pt", "abs(eta) < 2.4", "btagDeepB > cut.btag"], into="BJet")
    >>> bjets.name, bjets.reads, bjets.parameters
    ('BJet selection', ('Jet_pt', 'Jet_eta', 'Jet_btagDeepB'), ('jet_pt', 'btag'))
    """

    collection: str
    conditions: Sequence[str]
    into: str = ""

    def __post_init__(self) -> None:
        conditions, into = several(self.conditions), self.into or self.collection
        self.settle(
            name=f"{into} selection",
            reads=all_reads(conditions, self.collection),
            parameters=all_parameters(conditions),
            makes=copied(self.collection, into),
            conditions=conditions,
            into=into,
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Select objects; the arguments are those of every stage."""
        objects = take(events, self.collection)
        for condition in self.conditions:
            objects = objects.select(parse(condition)(objects, cut))
        return events.with_field(**{self.into: objects})


def copied(collection: str, into: str) -> tuple[tuple[str, str], ...]:
    """Return what a stage makes that puts objects of a collection into another one.

    Nothing is made when both are the same.
    """
    return () if into == collection else ((into, collection),)
