"""INFERNO's synthetic problem: a network that is trained for the uncertainty itself, nuisance parameters included."""

from __future__ import annotations

from .study import INFERNO as INFERNO
from .study import Inferno as Inferno
