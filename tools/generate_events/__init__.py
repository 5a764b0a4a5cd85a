"""Generate the embedded events of two workflows: the Z'(2 TeV) -> t tbar search, and the t tbar cross-section.

Every sample is generated with Pythia 8 at leading order (13 TeV), passed through a small detector emulation that
smears particles, clustered with anti-kT 0.4 and 0.8 jets by FastJet, skimmed, and written as one ROOT file with a
NanoAOD-like ``Events`` tree. ``fileset.json`` next to the files holds what a normalisation needs: an event counts

    xsec_pb * luminosity * genWeight / sumw_total,

where ``sumw_total`` runs over *every* generated event, kept or not. The same command gives the same events again.

    python -m tools.generate_events zprime --output workflows/analyses/zprime/events
    python -m tools.generate_events ttbar-agc --output workflows/analyses/ttbar_agc/events

The detector is an emulation: the data card next to the files lists its resolutions, efficiencies and mistag rates.
"""
