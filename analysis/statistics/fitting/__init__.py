"""Maximum-likelihood fits of HistFactory models."""

from __future__ import annotations

from .error import FitError as FitError
from .maximum_likelihood import FitResult as FitResult
from .maximum_likelihood import fit as fit
