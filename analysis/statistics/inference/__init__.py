"""Tests of hypotheses, limits, intervals, and what uncertainties are made of."""

from __future__ import annotations

from .asimov import asimov_data
from .contributions import Breakdown, breakdown
from .curvature import correlation, covariance, fisher_information
from .excess import DiscoveryTest, discovery
from .guards import PrecisionWarning
from .hypotheses import HypothesisTest, hypotest
from .intervals import Interval, interval
from .likelihood_ratios import LikelihoodRatio, q0, qmu, qmu_tilde
from .limits import UpperLimit, upper_limit
from .ranking import Impacts, impacts
from .toys import ToyTest, pseudo_data, toy_hypotest, toy_statistics

__all__ = [
    "Breakdown",
    "DiscoveryTest",
    "HypothesisTest",
    "Impacts",
    "Interval",
    "LikelihoodRatio",
    "PrecisionWarning",
    "ToyTest",
    "UpperLimit",
    "asimov_data",
    "breakdown",
    "correlation",
    "covariance",
    "discovery",
    "fisher_information",
    "hypotest",
    "impacts",
    "interval",
    "pseudo_data",
    "q0",
    "qmu",
    "qmu_tilde",
    "toy_hypotest",
    "toy_statistics",
    "upper_limit",
]


def __dir__() -> list[str]:
    return __all__
