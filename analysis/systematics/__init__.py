"""Systematic uncertainties inside the gradient: declared once, evaluated in every reading, exported with the model."""

from __future__ import annotations

from .energy import EnergyResolution as EnergyResolution
from .energy import EnergyScale as EnergyScale
from .energy import scaled as scaled
from .random import normal_by_event as normal_by_event
from .shape import Pruning as Pruning
from .shape import Smoothing as Smoothing
from .shape import Symmetrisation as Symmetrisation
from .shape import Treatment as Treatment
from .shape import mirrored as mirrored
from .sources import AlternativeSample as AlternativeSample
from .sources import FreeNormalisation as FreeNormalisation
from .sources import KinematicVariation as KinematicVariation
from .sources import Normalisation as Normalisation
from .sources import ShapeSource as ShapeSource
from .sources import Source as Source
from .sources import WeightVariation as WeightVariation
from .templates import Histograms as Histograms
from .templates import Templates as Templates
from .templates import fill_templates as fill_templates
from .variations import Varied as Varied
from .variations import vary as vary
