"""Hard filling: every entry in exactly one bin, the same one that `hist` puts it in."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from .axis import Axis, Regular
from .counts import Counts, accumulate, bin_contents, exact_dot, working_edges
from .kernel import CPU_BLOCK


def fill_hard(
    values: jax.Array,
    weight: jax.Array | float,
    axis: Axis | jax.Array | np.ndarray,
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
    values : jax.Array
        Observable, any shape (``(n,)``), in the unit of the axis. NaN goes to the overflow.
    weight : jax.Array or float
        Event weights; a scalar or the shape of `values`.
    axis : Axis or array
        The axis, or increasing finite edges of shape ``(bins + 1,)``, which may be traced.
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
        ``sumw`` and ``sumw2``, shape ``(bins + 2,)`` or ``(num_groups, bins + 2)``, underflow first, overflow last.
        float32, or float64 if an input is.

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
    edges, dtype = working_edges(axis, values, weight, probability)
    values = jnp.asarray(values).astype(dtype)
    if isinstance(axis, Axis):
        edges = _round_up(_thresholds(axis), dtype)
    return accumulate(
        _bin_sums,
        (jax.lax.stop_gradient(jnp.asarray(edges, dtype)),),
        values,
        weight,
        probability=probability,
        groups=groups,
        num_groups=num_groups,
        block_size=block_size,
    )


def _bin_sums(values: jax.Array, columns: jax.Array, edges: jax.Array) -> jax.Array:
    below = (values < edges[:, None]).astype(columns.dtype)
    return exact_dot(columns, bin_contents(below).T)


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
