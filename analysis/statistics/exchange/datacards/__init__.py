"""Datacards of Combine, the statistics tool of CMS: texts and histograms to workspaces, and back."""

from __future__ import annotations

from .card import Datacard, MCStatistics, Nuisance, RateParameter, Shapes, parse_datacard
from .formatting import format_datacard
from .reading import Histogram, Interpretation, from_datacard
from .writing import to_datacard

__all__ = [
    "Datacard",
    "Histogram",
    "Interpretation",
    "MCStatistics",
    "Nuisance",
    "RateParameter",
    "Shapes",
    "format_datacard",
    "from_datacard",
    "parse_datacard",
    "to_datacard",
]


def __dir__() -> list[str]:
    return __all__
