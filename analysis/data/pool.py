"""The events of one part of a split, wherever they are: in shards, of which only sums leave each."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from .dataset import Dataset
from .precision import precise

# ``program(shard, first, *arguments)``: hashable, pure, of arrays; see `Pool.total`
Program: TypeAlias = Callable[..., Any]


class Pool(abc.ABC):
    """The shards of a sample, one at a time or on many machines at once, and what is known about all of them.

    A whole analysis fits through `total`: the histograms of all shards are summed, the statistical model is evaluated
    once, and its derivative with respect to the histograms is pulled back through each shard, which is a sum again.
    That is exact for any objective, and what crosses from one machine to another are kilobytes.

    Attributes
    ----------
    about
        A data set with the processes and the typical weights of the whole; it may be without events.
    shards
        Those that this process can reach, one at a time, for a closer look at their events.
    """

    about: Dataset
    shards: Iterable[Dataset]

    @abc.abstractmethod
    def total(self, program: Program, *arguments: Any) -> Any:
        """Return the sum of a function over all shards.

        ``program(shard, first, *arguments)`` returns a pytree of arrays; ``first`` is the number of the shard's first
        block among those of all shards. It is compiled, once for all programs that are equal. Arguments are pytrees of
        arrays, the same for all shards.
        """

    @staticmethod
    def of(sample: Dataset | Sequence[Dataset] | Pool) -> Pool:
        """Return the pool of a sample.

        Raises `ValueError` when the sequence is empty, or two shards have different processes.
        """
        if isinstance(sample, Pool):
            return sample
        if isinstance(sample, Dataset):
            return LocalPool((sample,), sample)
        if not len(sample):
            raise ValueError("a sample needs at least one shard, got an empty sequence")
        return LocalPool(sample, _about_all(sample))


@dataclasses.dataclass(frozen=True, eq=False)
class LocalPool(Pool):
    """Shards of this process: one data set, or a sequence of them that may load each when it is asked for.

    All have the same processes.
    """

    shards: Sequence[Dataset]
    about: Dataset

    def total(self, program: Program, *arguments: Any) -> Any:
        """Return the sum of a function over all shards, one after the other."""
        return sum_over(self.shards, program, *arguments)


def sum_over(shards: Iterable[Dataset], program: Program, *arguments: Any, first: int = 0) -> Any:
    """Return the sum of a program over shards, of which at most two are in memory at a time.

    Each is asked for when the one before it is being computed; ``first`` is the number of the first block of all. The
    rest is as for `Pool.total`.
    """
    run = compiled(program)
    total = before = None
    checks = rg.Checks((), ())
    for shard in shards:
        part, found = run(shard, np.int32(first), *arguments)
        first += shard.blocks
        # computations are only queued here: without this wait all shards would be loaded before the first is done
        jax.block_until_ready(before)
        checks.throw()
        total, before, checks = part if total is None else _add(total, part), part, found
    checks.throw()
    return total


@functools.lru_cache(maxsize=64)
def compiled(program: Program) -> jax.stages.Wrapped:
    """Return a program as a function that JAX compiles, the same one for programs that are equal.

    Its results have the highest precision that is enabled, for the sum; with them come its checks.
    """
    return jax.jit(rg.with_checks(lambda *arguments: jax.tree.map(precise, program(*arguments))))


def add_up(parts: Iterable[Any]) -> Any:
    """Return the sum of pytrees of one structure."""
    return functools.reduce(_add, parts)


@jax.jit
def _add(a: Any, b: Any) -> Any:
    return jax.tree.map(jnp.add, a, b)


def _about_all(shards: Sequence[Dataset]) -> Dataset:
    sums, processes = [], []
    for shard in shards:
        processes.append(shard.processes)
        sumw, sumw2 = _sums_of_weights(shard)
        typical = shard.typical_weight
        # a shard's typical weight is sum(w**2) / sum(w), unless that is infinite
        sums.append((sumw, jnp.where(jnp.isfinite(typical), sumw * typical, sumw2)))
    if len(set(processes)) > 1:
        raise ValueError(f"every shard needs the same processes in the same order, got {processes}")
    sumw, sumw2 = add_up(sums)
    return without_events(processes[0], jnp.where(sumw > 0, sumw2 / jnp.where(sumw > 0, sumw, 1), jnp.inf))


def without_events(processes: Sequence[str], typical_weight: jax.typing.ArrayLike) -> Dataset:
    """Return a data set that only tells what a statistical model needs to know about the events."""
    weight, process = jnp.zeros((0, 0), jnp.float32), jnp.zeros((0, 0), jnp.int32)
    return Dataset(rg.RecordArray({}), weight, process, jnp.asarray(typical_weight, jnp.float32), tuple(processes))


@jax.jit
def _sums_of_weights(data: Dataset) -> tuple[jax.Array, jax.Array]:
    """Return the sum of the weights and of their squares, shape (processes,) each."""
    weight, process = data.weight.ravel(), data.process.ravel()
    groups = len(data.processes)
    return jax.ops.segment_sum(weight, process, groups), jax.ops.segment_sum(weight**2, process, groups)
