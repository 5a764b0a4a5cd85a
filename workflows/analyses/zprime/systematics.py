"""What is uncertain in the Z' search."""

from __future__ import annotations

import dataclasses

import jax

from hepgrad import ragged as rg
from hepgrad.analysis import Events, Objects
from hepgrad.analysis.systematics import (
    EnergyResolution,
    EnergyScale,
    FreeNormalisation,
    KinematicVariation,
    Normalisation,
    Source,
    WeightVariation,
)
from hepgrad.ragged import RaggedArray

JET_SCALE = 0.02
# the resolution in data is known to 10 % of itself
JET_RESOLUTION_UNCERTAINTY = 0.1
FATJET_RESOLUTION = 0.06


def jet_resolution(jets: Objects) -> RaggedArray:
    """Return the relative resolution of jets: 5 % and 5 GeV."""
    return 0.05 + 5.0 / jets.pt


# The missing momentum takes up what happens to the small jets, of which the fat ones are made as well.
SCALES = EnergyScale("Jet", JET_SCALE), EnergyScale("FatJet", JET_SCALE, met=None)
RESOLUTIONS = (
    EnergyResolution("Jet", jet_resolution, uncertainty=JET_RESOLUTION_UNCERTAINTY),
    EnergyResolution("FatJet", FATJET_RESOLUTION, uncertainty=JET_RESOLUTION_UNCERTAINTY, met=None, seed=1),
)


def jet_energy_scale(events: Events, alpha: jax.Array | float) -> Events:
    """Scale all jets, small and fat, together, and the missing momentum with them.

    ``alpha`` is the shift in standard deviations.
    """
    jets, fatjets = SCALES
    return fatjets(jets(events, alpha), alpha)


def jet_energy_resolution(events: Events, alpha: jax.Array | float) -> Events:
    """Smear all jets, small and fat; the arguments are those of `jet_energy_scale`."""
    jets, fatjets = RESOLUTIONS
    return fatjets(jets(events, alpha), alpha)


@dataclasses.dataclass(frozen=True)
class Tagged:
    """The factor ``1 + uncertainty`` on the weight of the events of some regions.

    The uncertainty is that of the ratio to the other regions: a common factor belongs to the free normalisations.
    Regions are those whose events have the tag; the uncertainty is relative, at one standard deviation.
    """

    regions: tuple[str, ...]
    uncertainty: float

    def __call__(self, events: Events) -> rg.FlatArray:
        """Return the factors, shape (events,)."""
        return sum((self.uncertainty * events.regions[name] for name in self.regions), rg.ones_like(events.weight))


B_TAGGED = ("signal_region", "top_control")
TOP_TAGGED = ("signal_region",)

SYSTEMATICS: tuple[Source, ...] = (
    KinematicVariation("jes", jet_energy_scale, one_sided=True),
    KinematicVariation("jer", jet_energy_resolution, one_sided=True, reads=("event",)),
    # with and without a quark to be tagged
    WeightVariation("b_tag", Tagged(B_TAGGED, 0.03), processes=("zprime", "ttbar", "single_top")),
    WeightVariation("b_mistag", Tagged(B_TAGGED, 0.15), processes=("wjets", "zjets")),
    WeightVariation("top_tag", Tagged(TOP_TAGGED, 0.05), processes=("zprime", "ttbar")),
    WeightVariation("top_mistag", Tagged(TOP_TAGGED, 0.15), processes=("wjets", "zjets", "single_top")),
    # the two large backgrounds are normalised where they are measured, in the control regions
    FreeNormalisation("ttbar_norm", processes=("ttbar",)),
    FreeNormalisation("wjets_norm", processes=("wjets",)),
    Normalisation("single_top_norm", 0.2, processes=("single_top",)),
    Normalisation("zjets_norm", 0.2, processes=("zjets",)),
    Normalisation("lumi", 0.025),
)
