"""Sources that do nothing are told, and where those that are small are pruned."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepgrad.analysis import Analysis, Channel, Dataset, Parameter, Parameters, Regular, Severity, stage
from hepgrad.analysis.doctor.patient import Patient
from hepgrad.analysis.doctor.sources import examine_sources
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.systematics import (
    AlternativeSample,
    EnergyScale,
    KinematicVariation,
    Normalisation,
    Nuisance,
    Pruning,
    WeightSet,
    WeightVariation,
)

RNG = np.random.default_rng(2)


def sample(events=400):
    jets = ak.zip({name: RNG.uniform(30, 90, (events, 2)).astype(np.float32) for name in ("pt", "phi")})
    columns = {"Jet": ak.from_regular(jets), "x": RNG.uniform(0, 1, events).astype(np.float32)}
    return ak.zip(columns | {"LHE": ak.from_regular(np.ones((events, 3), np.float32))}, depth_limit=1)


@stage(reads=["x", "Jet_pt"])
def keep(events, cut):
    return events.select(events.x > cut.c).with_field(ht=events.Jet.sum("pt"))


@pytest.mark.usefixtures("quick_compilation")
def test_sources_that_do_nothing_or_are_pruned():
    names = ["signal", "background", "other"]
    data = Dataset.from_awkward({name: sample() for name in names}, {name: np.ones(400) for name in names})
    elsewhere = Nuisance("n", 1.0, ["background"])
    sources = [
        Normalisation("lumi", 0.02),
        Normalisation("typo", 0.1, processes=["bakground"]),
        KinematicVariation("jes", EnergyScale("Jet", 0.1, met=None)),
        KinematicVariation("unused", lambda events, alpha: events.with_field(y=events.x * alpha)),
        WeightVariation("one", lambda events: 1 + 0 * events.x),
        WeightVariation(
            "nowhere",
            lambda events: 2 + 0 * events.x,
            processes=["signal"],
            nuisances=[elsewhere],
        ),
        WeightSet("pdf", "LHE", [1, 2], "hessian"),
        AlternativeSample("generator", "background", "other"),
        WeightVariation(
            "small", lambda events: 1 + 0.004 * (events.x > 0.5), processes=["background"], shape=[Pruning(0.01)]
        ),
    ]
    analysis = Analysis(
        [keep], [Channel("ht", "ht", Regular(3, 50, 200))], TemplateModel(["signal"], sources), "discovery"
    )
    patient = Patient.of(analysis, data, Parameters(c=Parameter(0.2, bounds=(0, 1))))
    found = {finding.subject: finding for finding in examine_sources(patient)}
    assert sorted(found) == [f"source {name}" for name in ("nowhere", "one", "pdf", "small", "typo", "unused")]
    assert "it acts on processes ('bakground',)" in found["source typo"].what
    assert found["source unused"].severity is Severity.WARNING and "does nothing" in found["source unused"].what
    pruned = found["source small"]
    assert pruned.severity is Severity.NOTE
    assert "pruned in 1 of 1 pairs of process and channel: background in ht (0." in pruned.what
