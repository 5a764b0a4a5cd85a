"""Differentiable high-energy-physics analyses: `hepgrad.ragged`, `hepgrad.analysis` and `hepgrad.workflows`."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["analysis", "ragged", "workflows"])
