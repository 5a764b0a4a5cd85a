"""The events of one part of a split: one data set or several shards, of which only histograms leave each."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from ..analysis import Analysis
from ..cut import Reading
from ..cutflow import Cutflow
from ..dataset import Dataset
from ..parameters import Parameters
from ..systematics import Templates
from .split import Sample


@dataclasses.dataclass(frozen=True)
class Pool:
    """The shards of a sample, and what the statistical model needs to know about all of them.

    Attributes
    ----------
    shards
        One or more data sets with the same processes.
    about
        A data set with the processes and the typical weights of the whole: the only shard, or one without events.
    """

    shards: Sequence[Dataset]
    about: Dataset

    @classmethod
    def of(cls, sample: Sample) -> Pool:
        """Return the pool of a sample.

        Parameters
        ----------
        sample
            A data set, or a sequence of them.

        Raises
        ------
        ValueError
            When the sequence is empty, or two shards have different processes.
        """
        if isinstance(sample, Dataset):
            return cls((sample,), sample)
        if not len(sample):
            raise ValueError("a sample needs at least one shard, got an empty sequence")
        return cls(sample, _about_all(sample))

    def histograms(self, analysis: Analysis, parameters: Parameters, reading: Reading) -> Templates:
        """Fill every channel from all shards; the arguments are those of `Analysis.histograms`.

        Parameters
        ----------
        analysis
            Stages and channels.
        parameters
            The cut values.
        reading
            What a cut means.
        """
        return add_up(analysis.histograms(shard, parameters, reading) for shard in self.shards)

    def cutflow(self, analysis: Analysis, parameters: Parameters) -> Cutflow:
        """Count the events of all shards that pass each named selection step, with hard cuts.

        Parameters
        ----------
        analysis
            The stages.
        parameters
            The cut values.
        """
        return add_up(analysis.cutflow(shard, parameters) for shard in self.shards)


def add_up(parts: Iterable[Any]) -> Any:
    """Return the sum of pytrees of one structure.

    Parameters
    ----------
    parts
        At least one.
    """
    return functools.reduce(lambda a, b: jax.tree.map(jnp.add, a, b), parts)


def _about_all(shards: Sequence[Dataset]) -> Dataset:
    sums, processes = [], []
    for shard in shards:
        processes.append(shard.processes)
        sumw = _sum_of_weights(shard)
        # a shard's typical weight is sum(w**2) / sum(w)
        sums.append((sumw, sumw * shard.typical_weight))
    if len(set(processes)) > 1:
        raise ValueError(f"every shard needs the same processes in the same order, got {processes}")
    sumw, sumw2 = add_up(sums)
    return dataclasses.replace(
        shard,
        columns=rg.RecordArray({}),
        weight=shard.weight[:0],
        process=shard.process[:0],
        typical_weight=sumw2 / jnp.maximum(sumw, np.finfo(np.float32).tiny),
    )


@jax.jit
def _sum_of_weights(data: Dataset) -> jax.Array:
    return jax.ops.segment_sum(data.weight.ravel(), data.process.ravel(), len(data.processes))
