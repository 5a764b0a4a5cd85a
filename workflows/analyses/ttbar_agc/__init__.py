"""The Analysis Grand Challenge: the top-pair cross-section in the lepton + jets final state."""

from __future__ import annotations

from .analysis import TTBAR_AGC as TTBAR_AGC
from .open_data import TTBAR_AGC_OPEN_DATA as TTBAR_AGC_OPEN_DATA
from .reference import reference_likelihood as reference_likelihood
