"""A search for Z' -> top antitop in the muon + jets final state, on events shipped with the package."""

from __future__ import annotations

from .analysis import ZPRIME as ZPRIME
