"""What is computed from one shard: functions of arrays that can be compared, compiled and sent to another machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax

from ...analysis import Analysis
from ...data.dataset import Dataset
from ...parameters.parameters import Parameters
from ...selection.cut import Reading
from ...selection.cutflow import Cutflow
from ...systematics import Templates


@dataclasses.dataclass(frozen=True)
class Fill:
    """Fills every channel."""

    analysis: Analysis

    def __call__(self, shard: Dataset, first: jax.Array, parameters: Parameters, reading: Reading) -> Templates:
        """Return the histograms; see `Analysis.histograms`."""
        return self.analysis.histograms(shard, parameters, reading)


def pulled_back(histograms: Callable[[Any], Templates], at: Any, slope: Templates) -> Any:
    """Return the derivative with respect to ``at`` from the one with respect to the histograms."""
    filled, pull = jax.vjp(histograms, at)
    # the histograms of one shard may be less precise than their sum
    return pull(jax.tree.map(lambda s, h: s.astype(h.dtype), slope, filled))[0]


@dataclasses.dataclass(frozen=True)
class PullBack:
    """Pulls the derivative of an objective with respect to the summed histograms back to the parameters."""

    analysis: Analysis

    def __call__(
        self, shard: Dataset, first: jax.Array, parameters: Parameters, reading: Reading, slope: Templates
    ) -> Parameters:
        """Return what the events of the shard contribute to the derivative with respect to the parameters."""
        return pulled_back(lambda at: self.analysis.histograms(shard, at, reading), parameters, slope)


@dataclasses.dataclass(frozen=True)
class Count:
    """Counts the events that pass each named selection step."""

    analysis: Analysis

    def __call__(self, shard: Dataset, first: jax.Array, parameters: Parameters, reading: Reading) -> Cutflow:
        """Return the cutflow; see `Analysis.cutflow`."""
        return self.analysis.cutflow(shard, parameters, reading)
