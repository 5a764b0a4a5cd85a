"""Reconstruct a top-antitop pair with one lepton."""

from __future__ import annotations

import dataclasses

from ...kinematics import neutrino_from_w
from ...kinematics.fields import COLLIDER
from ...reconstruction import TopMasses, leading_momentum, top_pairs
from ...selection.events import Events
from ...selection.threshold import Cuts
from ..declared import DeclaredStage
from ..expression import all_parameters, all_reads, parse, take
from .transverse_mass import TRANSVERSE


@dataclasses.dataclass(frozen=True)
class TopPair(DeclaredStage):
    """Add the assignments of jets to the two top quarks as a collection, the one of the smallest chi-square first.

    With the leading selected lepton and the neutrino that `neutrino_from_w` gives; `top_pairs` says what the chi-square
    and the fields are.

    Attributes
    ----------
    column
        Name of the collection: ``"leading(tt.mass)"`` is the mass of the pair.
    jets, lepton
        The collections.
    tagged
        Condition on the two b jets, see `parse`: ``"btagCSVV2 > cut.btag"``.
    masses
        The expected masses and resolutions.
    missing
        The missing momentum.
    max_objects, capacity
        Bounds on the memory, as for `top_pairs`.

    Raises
    ------
    ValueError
        When the condition is not understood.

    Examples
    --------
    >>> from hepgrad.analysis.reconstruction import TopMasses
    >>> from hepgrad.analysis.stages import TopPair
    >>> TopPair("tt", "Jet", "Muon", "btagCSVV2 > cut.btag", TopMasses(10.0, 15.0, 20.0)).parameters
    ('btag',)
    """

    column: str
    jets: str
    lepton: str
    tagged: str
    masses: TopMasses
    missing: str = "MET"
    max_objects: int | None = None
    capacity: int | None = None

    def __post_init__(self) -> None:
        of_jets, of_lepton = all_reads([*COLLIDER, self.tagged], self.jets), all_reads(COLLIDER, self.lepton)
        self.settle(
            name=self.column,
            reads=of_jets + of_lepton + all_reads(TRANSVERSE, self.missing),
            parameters=all_parameters([self.tagged]),
            makes=((self.column, ""),),
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Add the collection; the arguments are those of every stage."""
        jets, missing = take(events, self.jets), take(events, self.missing)
        lepton = leading_momentum(take(events, self.lepton))
        neutrino = neutrino_from_w(lepton, missing.pt, missing.phi)
        assignments = top_pairs(
            jets,
            lepton,
            neutrino,
            self.masses,
            btagged=parse(self.tagged)(jets, cut),
            max_objects=self.max_objects,
            capacity=self.capacity,
        )
        return events.with_field(**{self.column: assignments.ordered_by("chi_square", ascending=True)})
