"""Datacards of Combine, the statistics tool of CMS: texts and histograms to workspaces, and back."""

from __future__ import annotations

from .card import Datacard as Datacard
from .card import MCStatistics as MCStatistics
from .card import Nuisance as Nuisance
from .card import RateParameter as RateParameter
from .card import Shapes as Shapes
from .card import parse_datacard as parse_datacard
from .formatting import format_datacard as format_datacard
from .reading import Histogram as Histogram
from .reading import Interpretation as Interpretation
from .reading import from_datacard as from_datacard
from .writing import to_datacard as to_datacard
