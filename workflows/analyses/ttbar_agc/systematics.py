"""What is uncertain in the top-pair cross-section of the Analysis Grand Challenge."""

from __future__ import annotations

import dataclasses

import jax

from hepgrad.analysis import Events
from hepgrad.analysis.systematics import (
    AlternativeSample,
    KinematicVariation,
    Normalisation,
    Source,
    WeightVariation,
    normal_by_event,
)

# The challenge shifts the transverse momentum of jets and nothing else: neither their mass, nor missing momentum.
JET_SCALE = 0.03
JET_RESOLUTION = 0.05
SEED = 2026

# relative, for each GeV of a jet's transverse momentum: 7.5 % at 50 GeV
BTAG_SLOPE = 0.075 / 50.0
TAGGED_JETS = 4


def jet_scale(events: Events, alpha: jax.Array | float) -> Events:
    """Make every jet harder by 3 %.

    ``alpha`` is the shift in standard deviations.
    """
    return events.with_field(Jet=events.Jet.with_field(pt=events.Jet.pt * (1 + alpha * JET_SCALE)))


def jet_resolution(events: Events, alpha: jax.Array | float) -> Events:
    """Smear every jet by 5 %, with random numbers that belong to the event; the arguments are those of `jet_scale`."""
    random = normal_by_event(events.event, events.Jet.array, seed=SEED)
    return events.with_field(Jet=events.Jet.with_field(pt=events.Jet.pt * (1 + alpha * JET_RESOLUTION * random)))


@dataclasses.dataclass(frozen=True)
class BTagWeight:
    """The factor ``1 + direction * 0.075 pT / 50 GeV`` on the weight of an event, with the pT of its n-th jet.

    ``n`` is the place of the jet among the selected ones, from 1, and ``direction`` +1 or -1 standard deviation.
    """

    n: int
    direction: int

    def __call__(self, events: Events) -> jax.Array:
        """Return the factors, shape (events,).

        Four jets are part of the selection.
        """
        return 1 + self.direction * BTAG_SLOPE * events.Jet.nth("pt", self.n)


SYSTEMATICS: tuple[Source, ...] = (
    KinematicVariation("pt_scale", jet_scale, one_sided=True),
    KinematicVariation("pt_res", jet_resolution, one_sided=True, reads=("event",)),
    *(WeightVariation(f"btag_var_{n - 1}", BTagWeight(n, 1), BTagWeight(n, -1)) for n in range(1, TAGGED_JETS + 1)),
    AlternativeSample("ttbar_scale", "ttbar", up="ttbar_scaleup", down="ttbar_scaledown"),
    AlternativeSample("ttbar_PS_var", "ttbar", up="ttbar_PS_var"),
    Normalisation("wjets_scale_var", 0.025, processes=("wjets",)),
    Normalisation("lumi", 0.03),
)
