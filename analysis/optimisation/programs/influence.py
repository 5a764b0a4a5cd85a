"""How much each simulated event moves an objective: the spread of a difference without a single replica."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from ...analysis import Analysis
from ...data.dataset import Dataset
from ...parameters.parameters import Parameters
from ...selection.cut import Hard
from ...systematics import Templates
from .of_shards import pulled_back
from .resampled import counted, resample


@dataclasses.dataclass(frozen=True)
class VarianceOfDifference:
    """The variance of the difference of an objective at two points that see the same events, with hard cuts.

    Let every event i count n_i times, a Poisson number of mean 1, as in a bootstrap. To first order the difference d
    then has the variance sum_i (d d / d n_i)**2: the infinitesimal jackknife (L. Jaeckel, 1972; B. Efron, Canad. J.
    Statist. 9 (1981) 139). The derivative is that of the objective with respect to the histograms, ``slopes``, pulled
    back to the events.
    """

    analysis: Analysis

    def __call__(
        self,
        shard: Dataset,
        first: jax.Array,
        points: tuple[Parameters, Parameters],
        slopes: tuple[Templates, Templates],
    ) -> jax.Array:
        """Return what the events of a shard contribute, shape ()."""
        analysis = self.analysis.insert(resample)

        def influence(point: tuple[Parameters, Templates]) -> jax.Array:
            parameters, slope = point
            times = jnp.ones_like(shard.weight)
            found: jax.Array = pulled_back(
                lambda n: analysis.histograms(counted(shard, n), parameters, Hard()), times, slope
            )
            return found

        # one selection in the program for both points
        here, there = jax.lax.map(
            influence, jax.tree.map(lambda *leaves: jnp.stack(leaves), *zip(points, slopes, strict=True))
        )
        return jnp.sum((here - there) ** 2)
