"""Binned corrections as smooth functions, so that a derivative passes through them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from ..parameters.optimisable import hashable
from ..selection.threshold import as_float

# so many bins are compared with one by one, which is several times faster than a search; with 100 it is much slower
FEW = 32


@dataclasses.dataclass(frozen=True)
class Table:
    """A binned function of one or more variables, linear between the centres of its bins.

    Beyond the outermost centres it is constant. At a centre it has the bin's value; the derivative is that of the line.

    Attributes
    ----------
    edges
        The edges of the bins, increasing: n + 1 numbers, or such a list for each variable.
    values
        What it is in each bin: n numbers, or an array with one axis for each variable.

    Raises
    ------
    ValueError
        When edges do not increase, the numbers of bins and values differ, or a value is not finite.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.stages import Table
    >>> efficiency = Table([20, 40, 80], [0.7, 0.9])
    >>> print(efficiency(jnp.array([10.0, 30.0, 37.5, 60.0, 500.0])))
    [0.7  0.7  0.75 0.9  0.9 ]

    In the transverse momentum and the pseudorapidity:

    >>> scale_factor = Table([[20, 40, 80], [0, 1.2, 2.4]], [[0.96, 0.94], [0.99, 0.97]])
    >>> print(scale_factor(60.0, 0.6))
    0.99

    Values of a correctionlib correction, which has no derivative itself, at the centres of chosen bins:
    ``Table(edges, correction.evaluate(centres))``.
    """

    edges: Any
    values: Any

    def __post_init__(self) -> None:
        axes = [self.edges] if np.ndim(self.edges[0]) == 0 else self.edges
        axes = [np.asarray(axis, float) for axis in axes]
        values = np.asarray(self.values, float)
        for axis in axes:
            if axis.ndim != 1 or len(axis) < 2 or not np.all(np.diff(axis) > 0):
                raise ValueError(f"edges of a table must increase, got {axis.tolist()}")
        bins = tuple(len(axis) - 1 for axis in axes)
        if values.shape != bins:
            raise ValueError(f"a table with bins {bins} needs values of that shape, got {values.shape}")
        if not np.all(np.isfinite(values)):
            raise ValueError("a value of the table is NaN or infinite")
        object.__setattr__(self, "edges", tuple(map(hashable, axes)))
        object.__setattr__(self, "values", hashable(values))

    def __call__(self, *variables: Any) -> Any:
        """Return the interpolated values.

        Parameters
        ----------
        *variables
            One for each axis; flat or ragged, of common structure.

        Raises
        ------
        TypeError
            When there are more or fewer variables than axes.
        """
        if len(variables) != len(self.edges):
            raise TypeError(f"this table is a function of {len(self.edges)} variables, not of {len(variables)}")
        return rg.apply(self._interpolate, *variables, operation="Table")

    def _interpolate(self, *variables: jax.Array) -> jax.Array:
        values = np.asarray(self.values)
        # of each axis: the two neighbouring bins, each with its share
        neighbours = [_shares(np.asarray(axis), as_float(x)) for axis, x in zip(self.edges, variables, strict=True)]
        total: Any = 0
        for corner in itertools.product(*neighbours):
            bins, shares = zip(*corner, strict=True)
            share = math.prod(shares[1:], start=shares[0])
            total += share * jnp.asarray(values, share.dtype)[bins]
        return total


def _shares(edges: np.ndarray, x: jax.Array) -> tuple[tuple[Any, jax.Array], ...]:
    centres = (edges[1:] + edges[:-1]) / 2
    if len(centres) == 1:
        return ((0, jnp.ones_like(x)),)
    method = "compare_all" if len(centres) <= FEW else "scan"
    lower = jnp.searchsorted(jnp.asarray(centres[1:-1], x.dtype), x, side="right", method=method)
    start, step = (jnp.asarray(part, x.dtype)[lower] for part in (centres[:-1], np.diff(centres)))
    upper = jnp.clip((x - start) / step, 0, 1)
    return (lower, 1 - upper), (lower + 1, upper)
