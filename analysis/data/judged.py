"""Events in groups, of which each has the parameter values that judge it: those that were found without it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from ..parameters.parameters import Parameters
from .dataset import Dataset
from .folds import Folds
from .pool import Pool, Program, add_up
from .split import Part


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """Events, and the parameter values that each of them is judged by.

    Held-out events are one group with the values of one point. Those of a cross-fit are in groups by their fold, each
    with the values that were found on all others. What is filled from them is the sum over the groups.

    Attributes
    ----------
    groups
        At least one, with the same processes.

    Examples
    --------
    >>> import awkward as ak, numpy as np
    >>> from hepgrad.analysis import Dataset, Parameter, Parameters
    >>> from hepgrad.analysis.data.judged import Judged
    >>> data = Dataset.from_awkward({"ttbar": ak.zip({"MET_pt": np.arange(10.0)})}, {"ttbar": np.ones(10)})
    >>> cuts = Parameters(met=Parameter(50.0, bounds=(20, 150)))
    >>> total = Judged.of(data, cuts).total(lambda events, first, cuts: {"weight": events.weight.sum(), **cuts})
    >>> float(total["weight"]), float(total["met"])
    (10.0, 50.0)
    """

    groups: tuple[tuple[Pool, Parameters], ...]

    @classmethod
    def of(cls, sample: Part | Folds, *parameters: Parameters) -> Judged:
        """Return events that are all judged by the same values, or those of each fold by values of their own.

        Parameters are given once, or for each fold. Raises `ValueError` when there are neither as many values
        as folds, nor one for all.
        """
        groups = len(parameters)
        if groups != 1 and not (isinstance(sample, Folds) and groups == len(sample)):
            there = f"{len(sample)} folds" if isinstance(sample, Folds) else "events without folds"
            raise ValueError(f"expected parameters once, or for each fold, got {groups} of them for {there}")
        if not isinstance(sample, Folds):
            return cls(((Pool.of(sample), parameters[0]),))
        if groups == 1:
            return cls(((Pool.of(sample.data), parameters[0]),))
        return cls(tuple((Pool.of(sample.alone(fold)), at) for fold, at in enumerate(parameters)))

    @property
    def about(self) -> Dataset:
        """The processes and the typical weights of all events together."""
        return self.groups[0][0].about

    @property
    def parameters(self) -> tuple[Parameters, ...]:
        """The values of each group."""
        return tuple(parameters for _, parameters in self.groups)

    def total(self, program: Program, *arguments: Any) -> Any:
        """Return the sum of a function over all events.

        ``program`` is as for `Pool.total`, with the parameter values as its first argument.
        """
        return add_up(pool.total(program, parameters, *arguments) for pool, parameters in self.groups)

    def total_beside(self, other: Judged, program: Program, *arguments: Any) -> Any:
        """Return the sum of a function of the parameter values of two points over all events.

        ``other`` are the same events, judged by other values; ``program`` is as for `Pool.total`, with the values of
        both as its first argument.
        """
        points = zip(self.groups, other.parameters, strict=True)
        return add_up(pool.total(program, (here, there), *arguments) for (pool, here), there in points)

    def changed(self, change: Callable[[Parameters], Parameters]) -> Judged:
        """Return the same events, judged by other values.

        ``change`` leads from the values of a group to others.
        """
        return Judged(tuple((pool, change(parameters)) for pool, parameters in self.groups))
