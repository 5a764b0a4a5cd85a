"""Add a quantity to the events, or to each object, under a name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from hepgrad import ragged as rg

from ..selection.events import Events
from ..selection.threshold import Cuts
from .declared import DeclaredStage
from .expression import all_parameters, all_reads, parse, take


@dataclasses.dataclass(frozen=True)
class Observable(DeclaredStage):
    """Add a column: what a channel is filled with, a network looks at, or a later stage cuts on.

    Attributes
    ----------
    column
        Name of the column, or of the field of a collection.
    quantity
        An expression, see `parse`: ``"sum(Jet.pt)"``, ``"leading(Muon.pt) + MET.pt"``; a condition stands for the
        probability that it holds. Several when ``function`` takes several.
    function
        What to make of them: a `Table`, or one's own differentiable function of arrays, item by item.
    collection
        Whose objects get the quantity, which is then one of their fields; by default events get it.

    Raises
    ------
    ValueError
        When the quantity is not understood, or there are several and no function.

    Examples
    --------
    >>> from hepgrad.analysis.stages import Observable
    >>> Observable("ht", "sum(Jet.pt)").reads
    ('Jet_pt',)
    >>> Observable("log_pt", "log(pt)", collection="Jet").makes
    (('Jet_log_pt', ''),)
    """

    column: str
    quantity: str | Sequence[str]
    function: Callable[..., Any] | None = None
    collection: str = ""

    def __post_init__(self) -> None:
        quantities = (self.quantity,) if isinstance(self.quantity, str) else tuple(self.quantity)
        if self.function is None and len(quantities) != 1:
            raise ValueError(f"column {self.column!r}: say by `function` what to make of {', '.join(quantities)}")
        made = f"{self.collection}_{self.column}" if self.collection else self.column
        self.settle(
            name=made,
            reads=all_reads(quantities, self.collection),
            parameters=all_parameters(quantities),
            makes=((made, ""),),
            quantity=quantities,
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Add the column; the arguments are those of every stage."""
        source = take(events, self.collection) if self.collection else events
        values = [parse(quantity).number(source, cut) for quantity in self.quantity]
        value = rg.apply(self.function, *values, operation=self.name) if self.function else values[0]
        return with_column(events, self.collection, self.column, value)


def with_column(events: Events, collection: str, column: str, value: Any) -> Events:
    """Return events with one more column, or with one more field of a collection.

    Without a collection it is a column of events; the value is one per event, or ragged.
    """
    if not collection:
        return events.with_field(**{column: value})
    return events.with_field(**{collection: take(events, collection).with_field(**{column: value})})
