"""What an optimisation makes large: the analysis's objective, less the penalties."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp

from ..analysis import Analysis
from ..data.dataset import Dataset
from ..data.pool import Pool
from ..parameters.parameters import Parameters
from ..selection.cut import Reading
from ..statistics.objectives import Evaluation
from ..systematics import Templates
from .penalty import Penalty
from .programs.of_shards import Fill


@dataclasses.dataclass(frozen=True)
class Goal:
    """The objective of an analysis, less penalties."""

    analysis: Analysis
    penalties: tuple[Penalty, ...] = ()

    def of_histograms(
        self, histograms: Templates, parameters: Parameters, about: Dataset, *, confirmed: bool = False
    ) -> Evaluation:
        """Return the goal for given histograms (larger is better), and whether to believe it.

        ``about`` are the events that histograms are filled from, for their processes and typical weights; ``confirmed``
        is as for `Analysis.evaluation`.
        """
        merit = self.analysis.evaluation(histograms, about, confirmed=confirmed)
        cost = (penalty(self.analysis, about.processes, histograms, parameters) for penalty in self.penalties)
        value = merit.value - sum(cost, start=0)
        return Evaluation(value, merit.converged & jnp.isfinite(value))

    def evaluate(self, pool: Pool, parameters: Parameters, reading: Reading) -> Evaluation:
        """Return the goal for given events (larger is better), to be compared, and whether to believe it."""
        histograms = pool.total(Fill(self.analysis), parameters, reading)
        return self.of_histograms(histograms, parameters, pool.about, confirmed=True)
