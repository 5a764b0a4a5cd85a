"""Fits of likelihoods that lie in files: read, fitted, told, drawn, and exchanged with other programs."""

from __future__ import annotations

from .convert import convert as convert
from .fit import LikelihoodFit as LikelihoodFit
from .fit import fit as fit
from .reading import from_workspace as from_workspace
from .reading import read_workspace as read_workspace
from .signals import SignalLimits as SignalLimits
from .signals import limits as limits
