"""Reading events from ROOT files."""

from __future__ import annotations

from .coffea_reader import CoffeaReader
from .era import Era
from .events import iterate_events, read_events
from .fileset import Fileset
from .filesets.lumi_mask import LumiMask
from .ingredient import Ingredient, Ingredients, simulated
from .layout import FLAT, NANOAOD, Layout
from .loading import load
from .sample import Keep, Sample

__all__ = [
    "FLAT",
    "NANOAOD",
    "CoffeaReader",
    "Era",
    "Fileset",
    "Ingredient",
    "Ingredients",
    "Keep",
    "Layout",
    "LumiMask",
    "Sample",
    "iterate_events",
    "load",
    "read_events",
    "simulated",
]


def __dir__() -> list[str]:
    return __all__
