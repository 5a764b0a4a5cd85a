"""Reconstruct the transverse mass of a W boson that decays to a lepton and a neutrino."""

from __future__ import annotations

import dataclasses

from ...kinematics import transverse_mass
from ...selection.events import Events
from ...selection.threshold import Cuts
from ..declared import DeclaredStage
from ..expression import all_reads, take

TRANSVERSE = ("pt", "phi")


@dataclasses.dataclass(frozen=True)
class TransverseMass(DeclaredStage):
    """Add the transverse mass of the leading selected lepton and the missing momentum, in GeV.

    The expectation over which lepton leads, as `Objects.leading`.

    Attributes
    ----------
    column
        Name of the column.
    lepton
        The collection, for instance ``"Muon"``.
    missing
        The missing momentum.

    Examples
    --------
    >>> from hepgrad.analysis.stages import TransverseMass
    >>> TransverseMass("m_t", "Muon").reads
    ('Muon_pt', 'Muon_phi', 'MET_pt', 'MET_phi')
    """

    column: str
    lepton: str
    missing: str = "MET"

    def __post_init__(self) -> None:
        self.settle(
            name=self.column,
            reads=all_reads(TRANSVERSE, self.lepton) + all_reads(TRANSVERSE, self.missing),
            makes=((self.column, ""),),
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Add the column; the arguments are those of every stage."""
        leptons = take(events, self.lepton)
        leptons = leptons.with_field(mass_with_missing=transverse_mass(leptons, take(events, self.missing)))
        return events.with_field(**{self.column: leptons.leading("mass_with_missing")})
