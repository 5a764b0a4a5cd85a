"""The content of a histogram."""

from __future__ import annotations

import dataclasses

import jax


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Counts:
    """Sums of weights per bin, with under- and overflow.

    Attributes
    ----------
    sumw : jax.Array
        Sum of weights, shape ``(..., bins + 2)``, underflow first and overflow last.
    sumw2 : jax.Array
        Variance of `sumw` due to the finite number of simulated events, same shape.

    Examples
    --------
    Histograms of parts of a data set add up; groups are selected by index:

    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.histogram import Counts
    >>> part = Counts(jnp.array([[0.0, 2.0, 1.0, 0.0]]), jnp.array([[0.0, 4.0, 1.0, 0.0]]))
    >>> (part + part)[0].sumw
    Array([0., 4., 2., 0.], dtype=float32)
    """

    sumw: jax.Array
    sumw2: jax.Array

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.sumw + other.sumw, self.sumw2 + other.sumw2)

    def __getitem__(self, group: int | slice) -> Counts:
        if self.sumw.ndim < 2:
            raise IndexError("this histogram has no groups to select from; index its sumw and sumw2 for bins")
        return Counts(self.sumw[group], self.sumw2[group])
