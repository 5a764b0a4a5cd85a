"""How far an objective would move with other simulated events: a bootstrap of whole analyses."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg
from hepgrad.analysis import Analysis, Cuts, Dataset, Events, Hard, Parameters, Result, stage
from hepgrad.analysis.data.pool import Pool
from hepgrad.analysis.data.split import Part
from hepgrad.analysis.statistics.objectives import Merit

COLUMN = "bootstrap"
# numbers of times that are kept side by side: replicas times events of a block
AT_ONCE = 500_000


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
        From the number of simulated events: the spread over the replicas.
    gain
        By how much the optimum is better; positive whether larger or smaller figures are.
    gain_uncertainty
        Its spread. Both points see the same replicas, so it is not that of two independent numbers.
    replicas
        How many.
    """

    merit: Merit
    start: float
    optimum: float
    start_uncertainty: float
    optimum_uncertainty: float
    gain: float
    gain_uncertainty: float
    replicas: int

    @classmethod
    def of(cls, result: Result, analysis: Analysis, sample: Part, *, replicas: int, seed: int = 0) -> Improvement:
        """Bootstrap start and optimum.

        Parameters
        ----------
        result
            What the optimisation found.
        analysis
            What was optimised.
        sample
            The held-out events.
        replicas
            How many, at least two.
        seed
            Of the random numbers.
        """
        points = (result.start, result.optimum)
        figure = np.vectorize(result.merit.of)
        replicated = [figure(bootstrap(analysis, sample, p.parameters, replicas=replicas, seed=seed)) for p in points]
        start, optimum = (result.merit.of(point.hard_held_out.objective) for point in points)
        sign = -1 if result.merit.logarithmic else 1
        return cls(
            result.merit,
            start,
            optimum,
            float(np.std(replicated[0], ddof=1)),
            float(np.std(replicated[1], ddof=1)),
            sign * (optimum - start),
            float(np.std(replicated[1] - replicated[0], ddof=1)),
            replicas,
        )

    @property
    def is_significant(self) -> bool:
        """Whether the gain exceeds its uncertainty."""
        return self.gain > self.gain_uncertainty

    def __str__(self) -> str:
        verdict = "more" if self.is_significant else "not more"
        before = f"{self.start:.4g} +- {self.start_uncertainty:.2g} with the starting cuts"
        after = f"{self.optimum:.4g} +- {self.optimum_uncertainty:.2g} with the optimised ones"
        return (
            f"{self.merit.title}, hard cuts, held-out events: {before}, {after}; better by {self.gain:.4g} +- "
            f"{self.gain_uncertainty:.2g}, {verdict} than its uncertainty from simulated statistics "
            f"({self.replicas} bootstrap replicas)"
        )


@stage(reads=(COLUMN,), name=COLUMN)
def _resample(events: Events, cut: Cuts) -> Events:
    # as often as it is drawn: its weight counts n times and its squared weight too
    return dataclasses.replace(events, probability=events.probability * getattr(events, COLUMN))


def bootstrap(
    analysis: Analysis, sample: Part, parameters: Parameters, *, replicas: int = 200, seed: int = 0
) -> np.ndarray:
    """Return the objective with hard cuts for replicas of the simulated events.

    In each replica every event counts as often as a Poisson number of mean 1 says (B. Efron, Ann. Statist. 7 (1979) 1,
    for a sample whose size is random). The numbers depend on the seed only, so that two points of one analysis see the
    same replicas: the spread of their *difference* tells whether one is better than the other.

    Parameters
    ----------
    analysis
        Stages, channels, model and objective.
    sample
        The simulated events.
    parameters
        The cut values.
    replicas
        How many.
    seed
        Of the random numbers.

    Returns
    -------
    np.ndarray
        Shape (replicas,).

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
    pool = Pool.of(sample)
    templates = pool.total(_Replicas(analysis.insert(_resample), replicas), parameters, np.int64(seed))
    return np.asarray(_merits(analysis, templates, pool.about))


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
        return jax.lax.map(one, keys, batch_size=max(1, AT_ONCE // events))


@functools.partial(jax.jit, static_argnames="analysis")
def _merits(analysis: Analysis, templates: Any, about: Dataset) -> jax.Array:
    return jax.lax.map(lambda each: analysis.figure_of_merit(each, about), templates)
