"""Where `hepgrad.workflows.analyses.ttbar_agc` can also be imported from."""

from __future__ import annotations

from .analyses.ttbar_agc import TTBAR_AGC as TTBAR_AGC
from .analyses.ttbar_agc import TTBAR_AGC_OPEN_DATA as TTBAR_AGC_OPEN_DATA
from .analyses.ttbar_agc import reference_likelihood as reference_likelihood
