"""Events in k parts by their numbers, of which each is judged by cuts that never saw it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

from .dataset import Dataset
from .split import Split, fraction


@dataclasses.dataclass(frozen=True, eq=False)
class Folds:
    """All events, and the fold of each.

    Every part of every fold is the same arrays with other weights: events of other folds count for nothing, just as
    those that fill up a block. All folds so share one compiled program and one copy of the events in memory, and a step
    reads all events, ``k / (k - 1)`` times what it has to.

    Attributes
    ----------
    data
        All events, with their own weights.
    fold
        int32, shape (blocks, events): from 0 to ``number - 1``.
    number
        How many folds.
    """

    data: Dataset
    fold: jax.Array
    number: int

    @classmethod
    def of(cls, data: Dataset, fold: np.ndarray, number: int) -> Folds:
        """Return the folds of simulated events, each of which can stand for the whole, and so can all others.

        Parameters
        ----------
        data
            All events.
        fold
            Integers from 0 to ``number - 1``, shape (blocks, events); those of events that fill up blocks mean nothing.
        number
            How many folds, at least 2.

        Raises
        ------
        ValueError
            When there are fewer than two folds, or a process has no events in a fold, or a sum of weights there or in
            all others that is not positive.
        """
        if number < 2:
            raise ValueError(f"needs at least two folds, got k={number}")
        made = cls(data, jnp.asarray(fold, jnp.int32), number)
        for index, process in enumerate(data.processes):
            mine = np.asarray(data.process) == index
            weight, of = np.asarray(data.weight, float)[mine], np.asarray(fold)[mine]
            inside, events = np.bincount(of, weight, minlength=number), np.bincount(of, minlength=number)
            for each in range(number):
                if not (inside[each] > 0 and inside.sum() - inside[each] > 0):
                    raise ValueError(
                        f"process {process!r}: the {events[each]} events of fold {each + 1} of {number} have "
                        f"a sum of weights of {inside[each]:g}, those of the others {inside.sum() - inside[each]:g}; "
                        "both must be positive to stand for the whole process"
                    )
        return made

    def __iter__(self) -> Iterator[Split]:
        """Yield for each fold the split that trains on all other folds; both parts stand for all events."""
        return (
            Split(self._part(self.fold != fold, scaled=True), self._part(self.fold == fold, scaled=True))
            for fold in range(self.number)
        )

    def __len__(self) -> int:
        return self.number

    def alone(self, fold: int) -> Dataset:
        """Return the events of a fold with their own weights: the sum of all folds is the whole.

        Parameters
        ----------
        fold
            From 0.
        """
        return self._part(self.fold == fold, scaled=False)

    @functools.cached_property
    def _whole(self) -> np.ndarray:
        """The sum of the weights of each process."""
        sumw: np.ndarray = _sums(self.data.weight, self.data.process, len(self.data.processes))[0]
        return sumw

    def _part(self, kept: jax.Array, *, scaled: bool) -> Dataset:
        """Return some events, scaled so that the weights of each process add up to those of all its events."""
        data, processes = self.data, len(self.data.processes)
        weight = jnp.where(kept, data.weight, 0)
        factor, typical = jnp.ones(processes, data.weight.dtype), data.typical_weight
        if scaled:
            sumw, sumw2 = _sums(weight, data.process, processes)
            factor = jnp.asarray(self._whole / sumw, data.weight.dtype)
            typical = jnp.asarray(self._whole * sumw2 / sumw**2, typical.dtype)
        # the process behind the last is that of events that are not there
        weight = weight * factor.at[data.process].get(mode="fill", fill_value=0)
        process = jnp.where(kept, data.process, processes)
        return dataclasses.replace(data, weight=weight, process=process, typical_weight=typical)


def folds(
    samples: Mapping[str, ak.Array],
    weights: Mapping[str, np.ndarray],
    *,
    numbers: Mapping[str, np.ndarray],
    k: int = 5,
    block_size: int | None = None,
) -> Folds:
    """Divide events by their numbers into ``k`` parts of about the same size, for `cross_fit`.

    As in `split` an event's number alone decides where it goes.

    Parameters
    ----------
    samples, weights, numbers
        For each process, as for `split`.
    k
        The number of folds, at least 2.
    block_size
        As in `Dataset.from_awkward`.

    Raises
    ------
    ValueError
        When there are fewer than two folds, numbers are missing or no integers, or a process has no events in a fold,
        or a sum of weights there or in all others that is not positive.

    Examples
    --------
    >>> import awkward as ak, numpy as np
    >>> from hepgrad.analysis import folds
    >>> events = {"ttbar": ak.zip({"MET_pt": np.arange(1000.0)}, depth_limit=1)}
    >>> three = folds(events, {"ttbar": np.ones(1000)}, numbers={"ttbar": np.arange(1000)}, k=3)
    >>> for part in three:
    ...     print(int((part.train.weight > 0).sum()), float(part.held_out.weight.sum().round(2)))
    666 1000.0
    668 1000.0
    666 1000.0
    """
    if k < 2:
        raise ValueError(f"needs at least two folds, got k={k}")
    data = Dataset.from_awkward(samples, weights, block_size=block_size)
    of = {
        name: fold_numbers(numbers.get(name), k, process=name, events=len(sample)) for name, sample in samples.items()
    }
    every = np.concatenate([of[name] for name in samples])
    # as `Dataset.from_awkward` fills up the last block
    return Folds.of(data, every[np.arange(data.weight.size) % len(every)].reshape(data.weight.shape), k)


def fold_numbers(numbers: np.ndarray | None, k: int, *, process: str = "data", events: int | None = None) -> np.ndarray:
    """Return the fold of each event, from 0 to ``k - 1``: also of collision data, for which each fold has its cuts.

    Parameters
    ----------
    numbers
        Event numbers: integers, shape (events,).
    k
        The number of folds.
    process, events
        For errors: a name, and how many events there are.

    Raises
    ------
    ValueError
        When they are no integers, or not as many as events.

    Examples
    --------
    >>> import numpy as np
    >>> from hepgrad.analysis import fold_numbers
    >>> fold_numbers(np.arange(8), 5)
    array([4, 2, 2, 0, 2, 1, 3, 1])
    """
    expected = len(np.atleast_1d(numbers)) if events is None and numbers is not None else events or 0
    return np.minimum((fraction(process, numbers, expected) * k).astype(int), k - 1)


def _sums(weight: jax.Array, process: jax.Array, number: int) -> np.ndarray:
    """Return the sums of weights and of their squares by process, shape (2, number), in double precision."""
    w, groups = np.asarray(weight, float).ravel(), np.asarray(process).ravel()
    inside = groups < number
    return np.array([np.bincount(groups[inside], x[inside], minlength=number) for x in (w, w**2)])
