"""Likelihoods of others: workspaces changed, Combine's datacards, HS3; texts and dictionaries, no files."""

from __future__ import annotations

from .cabinetry import cabinetry_configuration
from .datacards import Datacard, Histogram, format_datacard, from_datacard, parse_datacard, to_datacard
from .hs3 import from_hs3, is_hs3, to_hs3
from .operations import combine, prune, rename, sort
from .settings import alike, configured, parameter_names

__all__ = [
    "Datacard",
    "Histogram",
    "alike",
    "cabinetry_configuration",
    "combine",
    "configured",
    "format_datacard",
    "from_datacard",
    "from_hs3",
    "is_hs3",
    "parameter_names",
    "parse_datacard",
    "prune",
    "rename",
    "sort",
    "to_datacard",
    "to_hs3",
]


def __dir__() -> list[str]:
    return __all__
