"""Remove the objects of a collection that are reconstructed a second time in another one."""

from __future__ import annotations

import dataclasses

from ..selection.events import Events
from ..selection.threshold import Cuts
from .declared import DeclaredStage
from .expression import all_parameters, all_reads, parse, take
from .object_selection import copied

DIRECTION = ("eta", "phi")


@dataclasses.dataclass(frozen=True)
class Cleaning(DeclaredStage):
    """Keep the objects of a collection that have no selected object of another one nearby.

    Attributes
    ----------
    collection
        What is cleaned, for instance ``"Jet"``.
    against
        For instance ``"Muon"``.
    radius
        In delta R: a number, or a parameter, ``"cut.radius"``.
    into
        Name of the cleaned collection; by default it takes the place of the original one.
    capacity
        Room for so many pairs in a block, as for `Objects.without_overlap`.

    Examples
    --------
    >>> from hepgrad.analysis.stages import Cleaning
    >>> Cleaning("Jet", "Muon", 0.4).reads
    ('Jet_eta', 'Jet_phi', 'Muon_eta', 'Muon_phi')
    """

    collection: str
    against: str
    radius: float | str
    into: str = ""
    capacity: int | None = None

    def __post_init__(self) -> None:
        into = self.into or self.collection
        self.settle(
            name=f"{into} cleaning against {self.against}",
            reads=all_reads(DIRECTION, self.collection) + all_reads(DIRECTION, self.against),
            parameters=all_parameters([str(self.radius)]),
            makes=copied(self.collection, into),
            into=into,
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Clean the collection; the arguments are those of every stage."""
        radius = parse(str(self.radius))(events, cut)
        objects = take(events, self.collection)
        cleaned = objects.without_overlap(take(events, self.against), radius, capacity=self.capacity)
        return events.with_field(**{self.into: cleaned})
