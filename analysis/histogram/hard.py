"""Hard filling: every entry in exactly one bin, the same one that `hist` puts it in."""

from __future__ import annotations

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from .axis import Axis, Regular
from .binning import AnyEdges, Binning
from .counts import Counts
from .deposit import deposit
from .entries import CPU_BLOCK, Entries, sum_blocks, working_dtype


def fill_hard(
    values: jax.Array | tuple[jax.Array, ...],
    weight: jax.Array | float,
    axis: AnyEdges | tuple[AnyEdges, ...],
    *,
    probability: jax.Array | float | None = None,
    groups: jax.Array | None = None,
    num_groups: int | None = None,
    block_size: int = CPU_BLOCK,
) -> Counts:
    """Fill an ordinary histogram.

    Bins contain their lower edge and not their upper one; an entry at the last edge is overflow. With an `Axis`
    each value lands in the bin that boost-histogram chooses, to the last bit. (Its regular axis finds the bin by a
    division, which near an edge can differ from comparing with the edge.) Subnormal values count as zero. There is
    no gradient with respect to values and edges; with respect to weights and probabilities it is right.

    Parameters
    ----------
    values : jax.Array or tuple of jax.Array
        Observable, any shape (``(n,)``), in the unit of the axis; a tuple of them for a tuple of axes. NaN goes to
        the overflow.
    weight : jax.Array or float
        Event weights; a scalar or the shape of `values`.
    axis : Axis or array, or tuple of them
        The axis, or increasing finite edges of shape ``(bins + 1,)``, which may be traced; a tuple for a histogram of
        several dimensions.
    probability : jax.Array or float, optional
        0 or 1 for a hard selection; a scalar or the shape of `values`; 1 by default. ``sumw`` adds ``w p`` and
        ``sumw2`` adds ``w**2 p``.
    groups : jax.Array, optional
        Integer index of each entry's process, to fill one histogram per process in one pass. Entries with an index
        outside ``[0, num_groups)`` are not filled.
    num_groups : int, optional
        Number of processes, required with `groups`.
    block_size : int
        Entries per block. The default suits CPUs; on a GPU take 100,000 or more.

    Returns
    -------
    Counts
        ``sumw`` and ``sumw2``, shape ``(bins + 2,)`` or ``(num_groups, bins + 2)``, underflow first, overflow last,
        and ``(..., bins + 2, bins + 2)`` for two axes. float32, or float64 if an input is. The float32 sums of 1e6
        entries agree with float64 to 1e-6.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.histogram import Regular, fill_hard
    >>> print(fill_hard(jnp.array([-1.0, 0.0, 0.9, 1.0, 2.0]), 1.0, Regular(2, 0, 2)).sumw)
    [1. 2. 1. 1.]
    """
    axes = axis if isinstance(axis, tuple) else (axis,)
    observables = values if isinstance(values, tuple) else (values,)
    if len(axes) != len(observables):
        raise ValueError(f"expected values for each axis, got {len(observables)} for {len(axes)} axes")
    dtype = working_dtype(axes, *observables, weight, probability)
    sums = _fill(
        Entries.of(observables, weight, probability, groups, num_groups, dtype),
        tuple(binning_of(each, dtype) for each in axes),
        number=num_groups or 1,
        block_size=block_size,
    )
    if groups is None:
        sums = sums[:, 0]
    return Counts(sums[0], sums[1])


@functools.partial(jax.jit, static_argnames=("number", "block_size"))
def _fill(entries: Entries, binnings: tuple[Binning, ...], *, number: int, block_size: int) -> jax.Array:
    return sums_of_hard(entries, binnings, number=number, block_size=block_size)


def sums_of_hard(entries: Entries, binnings: tuple[Binning, ...], *, number: int, block_size: int) -> jax.Array:
    """Return the sums of weights and of their variances, shape (2, number, bins + 2, ...).

    ``number`` is that of groups; binnings are as `binning_of` makes them.
    """
    *others, last = [binning.number + 1 for binning in binnings]

    def block_sums(block: Entries) -> jax.Array:
        bins = [b.exactly(x) for b, x in zip(binnings, jax.lax.stop_gradient(block.values), strict=True)]
        leading = [_leading_digits(column) for column in block.columns]
        rest = [column - digits for column, digits in zip(block.columns, leading, strict=True)]
        row = 0 if block.group is None else block.group
        for size, index in zip(others, bins[:-1], strict=True):
            row = row * size + index
        sums = deposit([*leading, *rest], bins[-1], [1.0], row, (number * math.prod(others), last))
        return (sums[:2] + sums[2:]).reshape(2, number, *others, last)

    return sum_blocks(block_sums, entries, block_size=block_size)


def _leading_digits(column: jax.Array) -> jax.Array:
    """Return numbers with so few digits that the sum of a column of equal ones is exact.

    Weights are often equal, and then the rounding errors of their sum are equal as well and do not cancel.
    """
    precision = np.finfo(column.dtype)
    digits = max(precision.nmant - column.size.bit_length(), 1)
    return jax.lax.stop_gradient(jax.lax.reduce_precision(column, precision.nexp, digits))


def binning_of(axis: AnyEdges, dtype: np.dtype) -> Binning:
    """Return the edges of an axis such that comparing values with them puts these where boost-histogram does.

    No derivative goes through an array of edges.
    """
    binning = Binning.of(axis, dtype)
    if not isinstance(axis, Axis):
        return jax.lax.stop_gradient(binning)
    thresholds = _round_up(_thresholds(axis), dtype)
    return dataclasses.replace(binning, edges=jnp.asarray(thresholds), rest=None)


@functools.lru_cache(maxsize=256)
def _thresholds(axis: Axis) -> np.ndarray:
    """Return the smallest float64 that boost-histogram puts above each edge, shape (bins + 1,).

    For a regular axis that is ``floor((x - start) / (stop - start) * bins)`` in floating point; since this does not
    decrease with x, bisection finds where it steps.
    """
    if not isinstance(axis, Regular):
        return axis.edges
    span = axis.stop - axis.start
    steps = np.arange(axis.bins + 1)

    def is_above(x: np.ndarray) -> np.ndarray:
        fraction = (x - axis.start) / span
        index = np.where(fraction < 1, np.where(fraction >= 0, np.floor(fraction * axis.bins), -1), axis.bins)
        return index >= steps

    below, above = axis.edges - 0.25 * span / axis.bins, axis.edges + 0.25 * span / axis.bins
    while True:
        middle = below + 0.5 * (above - below)
        if ((middle <= below) | (middle >= above)).all():
            return above
        up = is_above(middle)
        below, above = np.where(up, below, middle), np.where(up, middle, above)


def _round_up(edges: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Round towards +inf: for x of this dtype, ``x < rounded`` says the same as ``x < edge`` in float64."""
    rounded = edges.astype(dtype)
    return np.where(rounded < edges, np.nextafter(rounded, dtype.type(np.inf)), rounded)
