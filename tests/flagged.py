"""A statistical model without a fit whose flag is a rule of the test, and an analysis of one cut that uses it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.analysis import Analysis, Channel, Counts, Dataset, Parameter, Parameters, Regular, stage
from hepgrad.analysis.statistics import FigureOfMerit
from hepgrad.analysis.statistics.objectives import Evaluation, Merit

WEIGHT = 0.5  # of every event


@dataclasses.dataclass(frozen=True)
class Flagged:
    """Z = s / sqrt(b + 1) of all events; `holds` says from b, and whether cuts are hard, if its "fit" converged."""

    holds: Callable[[jax.Array, jax.Array], jax.Array]
    signal: tuple[str, ...] = ("signal",)
    systematics: tuple[()] = ()
    likelihood: None = None

    def figure_of(self, objective):
        return FigureOfMerit(Merit("Z of the test", "Z"), self.evaluate)

    def evaluate(self, histograms, axes, processes, typical_weight):
        (counts,) = histograms.values()
        s, b = counts.sumw.astype(float).sum(axis=1)
        # with hard cuts every event counts as a whole or not at all
        is_hard = jnp.abs(counts.sumw2.sum() - WEIGHT * counts.sumw.sum()) < 1e-3
        return Evaluation(s / jnp.sqrt(b + 1), jnp.asarray(self.holds(b, is_hard)))


@dataclasses.dataclass(frozen=True)
class Total(Channel):
    """One bin without a kernel, which compiles in half the time."""

    def fill(self, events, parameters, reading, groups, num_groups):
        w = events.weight * events.probability
        mine = groups == jnp.arange(num_groups)[:, None]
        sums = [jnp.where(mine, x, 0).sum(axis=1, keepdims=True) for x in (w, w**2)]
        return Counts(*(jnp.pad(x, ((0, 0), (1, 1))) for x in sums))


@stage(reads=("x",))
def select(events, cut):
    return events.select(events.x > cut.x)


START = Parameters(x=Parameter(2.0, bounds=(0, 9), width=0.5))


def analysis(holds) -> Analysis:
    return Analysis([select], [Total("all", "x", Regular(1, 0, 10))], Flagged(holds))


def events(seed: int, number: int = 400) -> Dataset:
    """Signal above 5 on a flat background: b is about 200 - 20 x."""
    rng = np.random.default_rng(seed)
    x = {"signal": rng.uniform(5, 10, number), "background": rng.uniform(0, 10, number)}
    samples = {name: ak.zip({"x": values.astype(np.float32)}) for name, values in x.items()}
    return Dataset.from_awkward(samples, {name: np.full(number, WEIGHT) for name in x})
