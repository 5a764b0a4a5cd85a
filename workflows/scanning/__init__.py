"""The search without gradients that an optimisation has to beat."""

from __future__ import annotations
