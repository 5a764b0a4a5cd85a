"""The score of the top quark: its tag, corrected by a small network that is trained together with the cuts."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from hepgrad.analysis import Cuts, Events, stage
from hepgrad.analysis.kinematics import transverse_mass
from hepgrad.analysis.reconstruction import leading_momentum

from ..correcting_network import corrected

# Mean and spread of what the network looks at, in the order of `features`, of the simulated signal and background
# events that the starting cuts keep. They are constants: neither the optimiser nor another data set moves them.
MEAN = (0.7, 4.4, 6.4, 0.8, 5.4, 5.3, 3.8, 2.9, 0.8, 0.5)
SPREAD = (0.3, 0.7, 0.2, 0.5, 0.7, 0.7, 0.9, 1.6, 0.6, 0.3)
HIDDEN = 8

# the tagger's score is taken to be inside this range, so that its log-odds are finite
LOWEST_TAG, HIGHEST_TAG = 1e-4, 0.9999


def features(events: Events) -> jax.Array:
    """Return what the network looks at, in units of its spread: shape (events, features)."""
    top, muon = events.FatJet, events.Muon
    columns = (
        top.leading("particleNet_TvsQCD"),
        jnp.log1p(top.leading("mass")),
        jnp.log1p(top.leading("pt")),
        abs(top.leading("eta")),
        jnp.log1p(events.MET.pt),
        jnp.log1p(muon.leading("pt")),
        jnp.log1p(transverse_mass(leading_momentum(muon), events.MET)),
        events.Jet.count(),
        abs(muon.leading("eta")),
        events.Jet.max("btagCSVV2"),
    )
    scaled = [(column - mean) / spread for column, mean, spread in zip(columns, MEAN, SPREAD, strict=True)]
    return jnp.stack([jnp.asarray(column) for column in scaled], axis=-1)


@stage(
    reads=(
        *("Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "MET_pt", "MET_phi", "Jet_btagCSVV2"),
        *("FatJet_pt", "FatJet_eta", "FatJet_mass", "FatJet_particleNet_TvsQCD"),
    ),
    makes=("top_score",),
)
def top_score(events: Events, cut: Cuts) -> Events:
    """Add the score of the leading fat jet: its top tag as log-odds, plus the network's correction."""
    tag = jnp.clip(jnp.asarray(events.FatJet.leading("particleNet_TvsQCD")), LOWEST_TAG, HIGHEST_TAG)
    log_odds = corrected(jnp.log(tag / (1 - tag)), features(events), cut.network)
    # the logistic function, which does not overflow in this form
    return events.with_field(top_score=0.5 + 0.5 * jnp.tanh(0.5 * log_odds))
