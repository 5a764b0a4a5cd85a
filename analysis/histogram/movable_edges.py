"""Edges that an optimiser can move: ordered by construction."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np


def ordered_edges(free: jax.Array, start: float, stop: float, *, narrowest: float = 0.0) -> jax.Array:
    r"""Return edges as a smooth function of unconstrained numbers, one for each bin.

    .. math:: e_k = \mathrm{start} + \sum_{i < k} \left(d + (\mathrm{stop} - \mathrm{start} - n d)\,
              \frac{\exp f_i}{\sum_j \exp f_j}\right)

    with n bins that are at least :math:`d` wide. Whatever the numbers :math:`f` are, the edges increase from `start` to
    `stop`. A constant added to all of them changes nothing.

    Parameters
    ----------
    free : jax.Array
        Any real numbers, shape ``(bins,)``; equal numbers give equal bins.
    start, stop : float
        First and last edge, in the unit of the axis.
    narrowest : float
        Width that no bin falls below, in the unit of the axis. A few bandwidths keep the optimiser from carving bins
        out of single events.

    Returns
    -------
    jax.Array
        Shape ``(bins + 1,)``, for `fill_soft` and `fill_hard` in the axis's place. Make a `Variable` of the edges that
        the optimiser ends with.

    Raises
    ------
    ValueError
        If `free` is not one-dimensional, or bins of the narrowest width do not fit.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.histogram import ordered_edges
    >>> ordered_edges(jnp.zeros(4), 100, 500)
    Array([100., 200., 300., 400., 500.], dtype=float32)
    """
    free = jnp.asarray(free)
    if free.ndim != 1 or free.size == 0:
        raise ValueError(f"expected one free number for each bin in one dimension, got shape {free.shape}")
    spare = (stop - start) - free.size * narrowest
    if not (narrowest >= 0 and spare > 0):
        raise ValueError(
            f"{free.size} bins of width {narrowest} or more do not fit between {start} and {stop}: "
            "take fewer bins or a smaller `narrowest`"
        )
    widths = narrowest + spare * jax.nn.softmax(free)
    inner = start + jnp.cumsum(widths[:-1])
    return jnp.concatenate([jnp.full(1, start, inner.dtype), inner, jnp.full(1, stop, inner.dtype)])


def free_of_edges(edges: Sequence[float] | np.ndarray, *, narrowest: float = 0.0) -> np.ndarray:
    """Return the free numbers that give these edges: where the optimiser starts.

    Parameters
    ----------
    edges : sequence of float or numpy.ndarray
        Increasing, shape ``(bins + 1,)``.
    narrowest : float
        As in `ordered_edges`.

    Returns
    -------
    numpy.ndarray
        float64, shape ``(bins,)``, with mean zero.

    Raises
    ------
    ValueError
        If a bin is not wider than `narrowest`.

    Examples
    --------
    >>> from hepgrad.analysis.histogram import free_of_edges, ordered_edges
    >>> free = free_of_edges([0.0, 1.0, 4.0], narrowest=0.5)
    >>> ordered_edges(free, 0.0, 4.0, narrowest=0.5)
    Array([0., 1., 4.], dtype=float32)
    """
    spare = np.diff(np.asarray(edges, float)) - narrowest
    if not np.all(spare > 0):
        raise ValueError(f"expected edges that are more than {narrowest} apart, got {edges}")
    logarithms = np.log(spare)
    return np.asarray(logarithms - logarithms.mean())
