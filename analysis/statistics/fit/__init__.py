"""Maximum-likelihood fits of HistFactory models."""

from __future__ import annotations

from .error import FitError as FitError
from .fit import FitResult as FitResult
from .fit import fit as fit
