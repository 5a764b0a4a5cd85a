"""What an optimiser moves: cut values, bin edges and network weights, and their bounds."""

from __future__ import annotations
