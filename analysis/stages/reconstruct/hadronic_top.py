"""Reconstruct a top quark that decays to three jets."""

from __future__ import annotations

import dataclasses

from ...kinematics.fields import COLLIDER
from ...reconstruction import trijets
from ...selection.events import Events
from ...selection.threshold import Cuts
from ..declared import DeclaredStage
from ..expression import all_parameters, all_reads, parse, take


@dataclasses.dataclass(frozen=True)
class HadronicTop(DeclaredStage):
    """Add the three-jet systems with a b-tagged jet as a collection, the one of the highest pT first (`trijets`).

    Attributes
    ----------
    column
        Name of the collection: ``"leading(top.mass)"`` is the mass of the candidate.
    jets
        The collection of jets.
    tagged
        Condition on a jet, see `parse`: ``"btagCSVV2 > cut.btag"``.
    max_objects, capacity
        Bounds on the memory, as for `trijets`.

    Raises
    ------
    ValueError
        When the condition is not understood.

    Examples
    --------
    >>> from hepgrad.analysis.stages import HadronicTop, Observable
    >>> chain = [HadronicTop("top", "Jet", "btagCSVV2 > cut.btag"), Observable("m_top", "leading(top.mass)")]
    >>> chain[0].reads, chain[0].parameters
    (('Jet_pt', 'Jet_eta', 'Jet_phi', 'Jet_mass', 'Jet_btagCSVV2'), ('btag',))
    """

    column: str
    jets: str
    tagged: str
    max_objects: int | None = None
    capacity: int | None = None

    def __post_init__(self) -> None:
        self.settle(
            name=self.column,
            reads=all_reads([*COLLIDER, self.tagged], self.jets),
            parameters=all_parameters([self.tagged]),
            makes=((self.column, ""),),
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Add the collection; the arguments are those of every stage."""
        jets = take(events, self.jets)
        tagged = parse(self.tagged)(jets, cut)
        tops = trijets(jets, tagged, max_objects=self.max_objects, capacity=self.capacity)
        return events.with_field(**{self.column: tops})
