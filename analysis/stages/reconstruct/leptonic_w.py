"""Reconstruct a W boson that decays to a lepton and a neutrino."""

from __future__ import annotations

import dataclasses

from ...kinematics import neutrino_from_w
from ...kinematics.fields import COLLIDER
from ...reconstruction import leading_momentum
from ...selection.events import Events
from ...selection.threshold import Cuts
from ..declared import DeclaredStage
from ..expression import all_reads, take
from .transverse_mass import TRANSVERSE


@dataclasses.dataclass(frozen=True)
class LeptonicW(DeclaredStage):
    """Add the four-momentum of the leading selected lepton and the neutrino that `neutrino_from_w` gives.

    Attributes
    ----------
    column
        Name of the momentum, whose ``pt``, ``eta``, ``phi`` and ``mass`` later stages use (``"W.pt"``).
    lepton
        The collection, for instance ``"Muon"``.
    missing
        The missing momentum.

    Examples
    --------
    >>> from hepgrad.analysis.stages import LeptonicW
    >>> LeptonicW("W", "Muon").reads
    ('Muon_pt', 'Muon_eta', 'Muon_phi', 'Muon_mass', 'MET_pt', 'MET_phi')
    """

    column: str
    lepton: str
    missing: str = "MET"

    def __post_init__(self) -> None:
        self.settle(
            name=self.column,
            reads=all_reads(COLLIDER, self.lepton) + all_reads(TRANSVERSE, self.missing),
            makes=((self.column, ""),),
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Add the momentum; the arguments are those of every stage."""
        lepton, missing = leading_momentum(take(events, self.lepton)), take(events, self.missing)
        return events.with_field(**{self.column: lepton + neutrino_from_w(lepton, missing.pt, missing.phi)})
