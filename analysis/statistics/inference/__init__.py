"""Tests of hypotheses, limits, intervals, and what uncertainties are made of."""

from __future__ import annotations

from .asimov import asimov_data as asimov_data
from .breakdown import Breakdown as Breakdown
from .breakdown import breakdown as breakdown
from .covariance import correlation as correlation
from .covariance import covariance as covariance
from .covariance import fisher_information as fisher_information
from .discovery import DiscoveryTest as DiscoveryTest
from .discovery import discovery as discovery
from .guards import PrecisionWarning as PrecisionWarning
from .hypotest import HypothesisTest as HypothesisTest
from .hypotest import hypotest as hypotest
from .impacts import Impacts as Impacts
from .impacts import impacts as impacts
from .intervals import Interval as Interval
from .intervals import interval as interval
from .limits import UpperLimit as UpperLimit
from .limits import upper_limit as upper_limit
from .test_statistics import LikelihoodRatio as LikelihoodRatio
from .test_statistics import q0 as q0
from .test_statistics import qmu as qmu
from .test_statistics import qmu_tilde as qmu_tilde
from .toys import ToyTest as ToyTest
from .toys import pseudo_data as pseudo_data
from .toys import toy_hypotest as toy_hypotest
from .toys import toy_statistics as toy_statistics
