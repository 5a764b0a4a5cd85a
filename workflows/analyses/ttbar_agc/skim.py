"""Which events and jets are worth keeping in memory."""

from __future__ import annotations

import awkward as ak

# Below the lowest values that the parameters may take, so that soft cuts see both sides of each threshold, and jets
# pass the lowest threshold of 25 GeV in every variation: with 5 % of resolution, one in three million comes from below.
LEPTON_PT = 20.0
LEPTON_ETA = 2.5
MUON_ISOLATION = 0.5
JET_PT = 20.0


def skim(events: ak.Array) -> ak.Array:
    """Return the events that some cut values could accept, without the jets that none could.

    The jets that are left keep their order.
    """
    electrons, muons, jets = events.Electron, events.Muon, events.Jet
    electron = (electrons.pt > LEPTON_PT) & (abs(electrons.eta) < LEPTON_ETA) & (electrons.cutBased == 4)
    muon = (muons.pt > LEPTON_PT) & (abs(muons.eta) < LEPTON_ETA) & muons.tightId
    muon = muon & (muons.pfRelIso04_all < MUON_ISOLATION)
    usable = (jets.pt > JET_PT) & (abs(jets.eta) < LEPTON_ETA)
    kept = (ak.any(electron, axis=1) | ak.any(muon, axis=1)) & (ak.sum(usable, axis=1) >= 4)
    return ak.with_field(events, jets[jets.pt > JET_PT], "Jet")[kept]
