"""How far an objective would move with other simulated events: a bootstrap of whole analyses."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg
from hepgrad.analysis import Analysis, Dataset, Folds, Hard, Parameters, Result
from hepgrad.analysis.data.judged import Judged
from hepgrad.analysis.data.split import Part
from hepgrad.analysis.optimisation import FitTally
from hepgrad.analysis.optimisation.programs.resampled import COLUMN, resample
from hepgrad.analysis.optimisation.result import CROSS_FITTED
from hepgrad.analysis.statistics.inference.batches import in_batches
from hepgrad.analysis.statistics.objectives import NO_FIT, Evaluation, Merit

# numbers of times that are kept side by side: replicas times events of a block
AT_ONCE = 500_000
# of the replicas: when the fits of more than this share fail, the spread of the others is not that of all
FAILED_AT_MOST = 0.1


@dataclasses.dataclass(frozen=True)
class Improvement:
    """What the optimisation gained, with hard cuts on held-out events, and how well that is known.

    Attributes
    ----------
    merit
        How the objective is told.
    start, optimum
        The figure of merit at both points.
    start_uncertainty, optimum_uncertainty
        From the number of simulated events: the spread over the replicas; NaN when the fits of too many failed.
    gain
        By how much the optimum is better; positive whether larger or smaller figures are, NaN where either is.
    gain_uncertainty
        Its spread. Both points see the same replicas, so it is not that of two independent numbers.
    replicas
        How many.
    start_failed, optimum_failed
        How many of them have no figure of merit, because a fit did not converge from any of its starts.
    events
        Which ones, in words.
    """

    merit: Merit
    start: float
    optimum: float
    start_uncertainty: float
    optimum_uncertainty: float
    gain: float
    gain_uncertainty: float
    replicas: int
    start_failed: int = 0
    optimum_failed: int = 0
    events: str = "held-out events"

    @classmethod
    def of(
        cls, result: Result, analysis: Analysis, sample: Part | Folds, *, replicas: int, seed: int = 0
    ) -> Improvement:
        """Bootstrap start and optimum.

        Of a cross-fit the sample is all folds, otherwise the held-out events.
        """
        points = (result.start, result.optimum)
        figure = np.vectorize(result.merit.of)
        judged = Judged.of(sample, result.start.parameters), Judged.of(sample, *result.judging)
        replicated = [figure(replicated_objective(analysis, each, replicas=replicas, seed=seed)) for each in judged]
        start, optimum = (result.merit.of(point.hard_held_out.objective) for point in points)
        sign = -1 if result.merit.logarithmic else 1
        return cls(
            result.merit,
            start,
            optimum,
            _spread(replicated[0]),
            _spread(replicated[1]),
            sign * (optimum - start),
            _spread(replicated[1] - replicated[0]),
            replicas,
            int(np.isnan(replicated[0]).sum()),
            int(np.isnan(replicated[1]).sum()),
            CROSS_FITTED if result.folds else "held-out events",
        )

    @property
    def fits(self) -> FitTally:
        """The evaluations of the replicas of both points, and how many failed."""
        return FitTally(self.start_failed + self.optimum_failed, 2 * self.replicas)

    @property
    def is_significant(self) -> bool:
        """Whether the gain exceeds its uncertainty."""
        return self.gain > self.gain_uncertainty

    def __str__(self) -> str:
        before = f"{_told(self.start, self.start_uncertainty)} with the starting cuts"
        after = f"{_told(self.optimum, self.optimum_uncertainty)} with the optimised ones"
        gain = ""
        if not np.isnan(self.gain):
            verdict = "more" if self.is_significant else "not more"
            gain = f"; better by {_told(self.gain, self.gain_uncertainty)}"
            if not np.isnan(self.gain_uncertainty):
                gain += f", {verdict} than its uncertainty from simulated statistics"
        fits = f", {self.fits}" if self.fits.failed else ""
        return (
            f"{self.merit.title}, hard cuts, {self.events}: {before}, {after}{gain} "
            f"({self.replicas} bootstrap replicas{fits})"
        )


def _spread(figures: np.ndarray) -> float:
    """Return the standard deviation over the replicas that have a figure; NaN when too few do."""
    known = figures[~np.isnan(figures)]
    if len(known) < max(2, (1 - FAILED_AT_MOST) * len(figures)):
        return math.nan
    return float(np.std(known, ddof=1))


def _told(value: float, uncertainty: float) -> str:
    if math.isnan(value):
        return NO_FIT
    return f"{value:.4g} +- " + ("(unknown: too many fits failed)" if math.isnan(uncertainty) else f"{uncertainty:.2g}")


def bootstrap(
    analysis: Analysis, sample: Part, parameters: Parameters, *, replicas: int = 200, seed: int = 0
) -> np.ndarray:
    """Return the objective with hard cuts for replicas of the simulated events.

    In each replica every event counts as often as a Poisson number of mean 1 says (B. Efron, Ann. Statist. 7 (1979) 1,
    for a sample whose size is random). The numbers depend on the seed only, so that two points of one analysis see the
    same replicas: the spread of their *difference* tells whether one is better than the other. The result has shape
    (replicas,), NaN where a fit did not converge.

    Examples
    --------
    >>> import awkward as ak, numpy as np
    >>> from hepgrad.analysis import Analysis, Channel, CountingModel, Dataset, Parameter, Parameters, Regular, stage
    >>> from hepgrad.workflows.results.bootstrap import bootstrap
    >>> @stage(reads=("met",))
    ... def select(events, cut):
    ...     return events.select(events.met > cut.met)
    >>> rng = np.random.default_rng(0)
    >>> samples = {name: ak.zip({"met": rng.exponential(100.0, 400)}) for name in ("signal", "background")}
    >>> data = Dataset.from_awkward(samples, {"signal": np.full(400, 0.1), "background": np.full(400, 1.0)})
    >>> channel, model = Channel("sr", "met", Regular(1, 0, 1000)), CountingModel(["signal"], 0.1)
    >>> cuts = Parameters(met=Parameter(50.0, bounds=(0, 200)))
    >>> values = bootstrap(Analysis([select], [channel], model), data, cuts, replicas=50)
    >>> values.shape, bool(values.std() > 0)
    ((50,), True)
    """
    return replicated_objective(analysis, Judged.of(sample, parameters), replicas=replicas, seed=seed)


def bootstrap_folds(
    analysis: Analysis, folds: Folds, parameters: Sequence[Parameters], *, replicas: int = 200, seed: int = 0
) -> np.ndarray:
    """Return the objective of all events for replicas of them, each event with the cuts of its fold.

    Parameters
    ----------
    analysis, replicas, seed
        As for `bootstrap`.
    folds
        The events.
    parameters
        The cut values of each fold, as `CrossFit.parameters`; the same for all folds to judge a starting point.

    Returns
    -------
    np.ndarray
        Shape (replicas,); NaN where a fit did not converge. Its spread is the uncertainty of `CrossFit.optimum` from
        the number of simulated events; that the cuts would have come out otherwise is not in it.
    """
    return replicated_objective(analysis, Judged.of(folds, *parameters), replicas=replicas, seed=seed)


def replicated_objective(analysis: Analysis, judged: Judged, *, replicas: int, seed: int = 0) -> np.ndarray:
    """Return the objective with hard cuts for replicas of the events of all groups, shape (replicas,)."""
    # folds are the same blocks with other weights, so that an event is drawn as often in each
    templates = judged.total(_Replicas(analysis.insert(resample), replicas), np.int64(seed))
    return np.asarray(_merits(analysis, templates, judged.about).believed)


@dataclasses.dataclass(frozen=True)
class _Replicas:
    """Fills the histograms of all replicas of one shard; each block has random numbers of its own in every shard."""

    analysis: Analysis
    replicas: int

    def __call__(self, shard: Dataset, first: jax.Array, parameters: Parameters, seed: jax.Array) -> Any:
        blocks, events = shard.weight.shape

        def one(key: jax.Array) -> Any:
            keys = jax.vmap(jax.random.fold_in, (None, 0))(key, first + jnp.arange(blocks))
            times = jax.vmap(lambda k: jax.random.poisson(k, 1.0, (events,)))(keys).astype(shard.weight.dtype)
            columns = rg.RecordArray({**shard.columns.columns, COLUMN: times})
            return self.analysis.histograms(dataclasses.replace(shard, columns=columns), parameters, Hard())

        # the selection does not depend on the key, so that side by side only histograms are filled several times
        keys = jax.random.split(jax.random.key(seed), self.replicas)
        return in_batches(one, keys, size=max(1, AT_ONCE // events))


@functools.partial(jax.jit, static_argnames="analysis")
def _merits(analysis: Analysis, templates: Any, about: Dataset) -> Evaluation:
    return jax.lax.map(lambda each: analysis.evaluation(each, about), templates)
