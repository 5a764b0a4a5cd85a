"""Statistical models and what to expect from them."""

from __future__ import annotations

from .asimov import BackgroundOnlyFit as BackgroundOnlyFit
from .asimov import asimov_z as asimov_z
from .asimov import background_only_fit as background_only_fit
from .asimov import discovery_significance as discovery_significance
from .model import CountingModel as CountingModel
