"""Systematic uncertainties inside the gradient: declared once, evaluated in every reading, exported with the model."""

from __future__ import annotations

from .abcd import ABCD, Closure
from .contract import Source
from .energy import EnergyResolution, EnergyScale, scaled
from .jet_energy import JES_SOURCES, HEMIssue, JetResolution, UnclusteredEnergy, jet_energy_sources, together
from .missing_momentum import TypeOne
from .nuisances import Nuisance, decorrelated, partially_correlated, shared
from .random import normal_by_event
from .shape import Pruning, Smoothing, Symmetrisation, Treatment, mirrored
from .smoothing import LocalRegression, RunningMedians
from .sources import (
    AlternativeSample,
    FreeNormalisation,
    KinematicVariation,
    Normalisation,
    ShapeSource,
    WeightVariation,
)
from .templates import Histograms, Templates, fill_templates
from .variations import Varied, vary
from .weight_sets import SEVEN_POINTS, WeightSet, varied_sums

__all__ = [
    "ABCD",
    "JES_SOURCES",
    "SEVEN_POINTS",
    "AlternativeSample",
    "Closure",
    "EnergyResolution",
    "EnergyScale",
    "FreeNormalisation",
    "HEMIssue",
    "Histograms",
    "JetResolution",
    "KinematicVariation",
    "LocalRegression",
    "Normalisation",
    "Nuisance",
    "Pruning",
    "RunningMedians",
    "ShapeSource",
    "Smoothing",
    "Source",
    "Symmetrisation",
    "Templates",
    "Treatment",
    "TypeOne",
    "UnclusteredEnergy",
    "Varied",
    "WeightSet",
    "WeightVariation",
    "decorrelated",
    "fill_templates",
    "jet_energy_sources",
    "mirrored",
    "normal_by_event",
    "partially_correlated",
    "scaled",
    "shared",
    "together",
    "varied_sums",
    "vary",
]


def __dir__() -> list[str]:
    return __all__
