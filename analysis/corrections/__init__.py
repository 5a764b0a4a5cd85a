"""Official corrections, such as scale factors and jet energies, as differentiable functions."""

from __future__ import annotations

from .correction import CompoundCorrection as CompoundCorrection
from .correction import Correction as Correction
from .correction import read_corrections as read_corrections
