"""Replicas of events: how often each counts is a column of the data, so that all replicas share one program."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from ...data.dataset import Dataset
from ...selection.events import Events
from ...selection.threshold import Cuts
from ...stages.contract import stage
from ..steps import Advance, Descent, Position, Trace, program_of_steps

COLUMN = "bootstrap"


@stage(reads=(COLUMN,), name=COLUMN)
def resample(events: Events, cut: Cuts) -> Events:
    """Let every event count as often as the column says: a stage that is inserted before all others.

    Parameters
    ----------
    events, cut
        As for every stage.
    """
    # as often as it is drawn: its weight counts n times and its squared weight too
    return dataclasses.replace(events, probability=events.probability * getattr(events, COLUMN))


def counted(data: Dataset, times: Any) -> Dataset:
    """Return events with the number of times that each counts as one more column."""
    column = jnp.asarray(times, data.weight.dtype)
    return dataclasses.replace(data, columns=rg.RecordArray({**data.columns.columns, COLUMN: column}))


def on_replicas(descent: Descent, train: Dataset, seed: int) -> Callable[[Dataset], Advance]:
    """Return a function from events to one that makes each step on another bootstrap replica of them.

    In a replica every event counts as often as a Poisson number of mean 1 says. The numbers depend on the seed and on
    where the descent is, so that one that was interrupted goes on with the same replicas.

    Data sets of the same shape as ``train`` share one program.
    """
    goal = dataclasses.replace(descent.goal, analysis=descent.goal.analysis.insert(resample))
    noisy = dataclasses.replace(descent, goal=goal)
    start = descent.start(descent.parameters)
    on = program_of_steps(noisy, counted(train, np.ones(train.weight.shape)), start, 1)

    def make(train: Dataset) -> Advance:
        def advance(position: Position, factors: np.ndarray) -> tuple[Position, Trace]:
            here = b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(position.coordinates))
            rng = np.random.default_rng([seed, zlib.crc32(here)])
            return on(counted(train, rng.poisson(1.0, train.weight.shape)))(position, factors)

        return advance

    return make
