"""Tests of hypotheses, limits, intervals, and what uncertainties are made of."""

from __future__ import annotations

from .asimov import asimov_data as asimov_data
from .contributions import Breakdown as Breakdown
from .contributions import breakdown as breakdown
from .curvature import correlation as correlation
from .curvature import covariance as covariance
from .curvature import fisher_information as fisher_information
from .excess import DiscoveryTest as DiscoveryTest
from .excess import discovery as discovery
from .guards import PrecisionWarning as PrecisionWarning
from .hypotheses import HypothesisTest as HypothesisTest
from .hypotheses import hypotest as hypotest
from .intervals import Interval as Interval
from .intervals import interval as interval
from .likelihood_ratios import LikelihoodRatio as LikelihoodRatio
from .likelihood_ratios import q0 as q0
from .likelihood_ratios import qmu as qmu
from .likelihood_ratios import qmu_tilde as qmu_tilde
from .limits import UpperLimit as UpperLimit
from .limits import upper_limit as upper_limit
from .ranking import Impacts as Impacts
from .ranking import impacts as impacts
from .toys import ToyTest as ToyTest
from .toys import pseudo_data as pseudo_data
from .toys import toy_hypotest as toy_hypotest
from .toys import toy_statistics as toy_statistics
