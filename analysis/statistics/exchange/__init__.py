"""Likelihoods of others: workspaces changed, Combine's datacards, HS3; texts and dictionaries, no files."""

from __future__ import annotations

from .cabinetry import cabinetry_configuration as cabinetry_configuration
from .combine import Datacard as Datacard
from .combine import Histogram as Histogram
from .combine import format_datacard as format_datacard
from .combine import from_datacard as from_datacard
from .combine import parse_datacard as parse_datacard
from .combine import to_datacard as to_datacard
from .hs3 import from_hs3 as from_hs3
from .hs3 import is_hs3 as is_hs3
from .hs3 import to_hs3 as to_hs3
from .operations import combine as combine
from .operations import prune as prune
from .operations import rename as rename
from .operations import sort as sort
from .settings import alike as alike
from .settings import configured as configured
from .settings import parameter_names as parameter_names
