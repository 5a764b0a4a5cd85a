"""Correct the weight of each event by a factor of its own."""

from __future__ import annotations

import dataclasses

from ..selection.events import Events
from ..selection.threshold import Cuts
from .declared import DeclaredStage
from .expression import all_parameters, all_reads, parse


@dataclasses.dataclass(frozen=True)
class EventWeight(DeclaredStage):
    """Multiply event weights by a quantity of the event.

    Attributes
    ----------
    factor
        An expression, see `parse`: ``"puWeight * L1PreFiringWeight.Nom"``.

    Raises
    ------
    ValueError
        When the factor is not understood.

    Examples
    --------
    >>> from hepgrad.analysis.stages import EventWeight
    >>> EventWeight("puWeight").reads
    ('puWeight',)
    """

    factor: str

    def __post_init__(self) -> None:
        self.settle(
            name=f"weight {self.factor}", reads=all_reads([self.factor]), parameters=all_parameters([self.factor])
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Correct the weights; the arguments are those of every stage."""
        return dataclasses.replace(events, weight=events.weight * parse(self.factor).number(events, cut))
