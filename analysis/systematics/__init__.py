"""Systematic uncertainties inside the gradient: declared once, evaluated in every reading, exported with the model."""

from __future__ import annotations

from .energy import EnergyResolution, EnergyScale, scaled
from .random import normal_by_event
from .shape import Pruning, Smoothing, Symmetrisation, Treatment, mirrored
from .sources import (
    AlternativeSample,
    FreeNormalisation,
    KinematicVariation,
    Normalisation,
    ShapeSource,
    Source,
    WeightVariation,
)
from .templates import Histograms, Templates, fill_templates
from .variations import Varied, vary

__all__ = [
    "AlternativeSample",
    "EnergyResolution",
    "EnergyScale",
    "FreeNormalisation",
    "Histograms",
    "KinematicVariation",
    "Normalisation",
    "Pruning",
    "ShapeSource",
    "Smoothing",
    "Source",
    "Symmetrisation",
    "Templates",
    "Treatment",
    "Varied",
    "WeightVariation",
    "fill_templates",
    "mirrored",
    "normal_by_event",
    "scaled",
    "vary",
]


def __dir__() -> list[str]:
    return __all__
