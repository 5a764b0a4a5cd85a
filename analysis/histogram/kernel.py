"""Soft filling: a binned kernel density estimate with a Gaussian kernel."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from .axis import Axis
from .counts import Counts, accumulate, bin_contents, exact_dot, working_edges

# Small enough that a block's (edges x entries) temporaries stay in the cache of a CPU core.
CPU_BLOCK = 2048


def fill_soft(
    values: jax.Array,
    weight: jax.Array | float,
    axis: Axis | jax.Array | np.ndarray,
    *,
    bandwidth: jax.Array | float,
    probability: jax.Array | float | None = None,
    groups: jax.Array | None = None,
    num_groups: int | None = None,
    block_size: int = CPU_BLOCK,
) -> Counts:
    r"""Fill a histogram with each entry smeared by a Gaussian.

    An entry :math:`x` with weight :math:`w` that passes the selection with probability :math:`p` adds

    .. math:: w\,p\,K_k, \quad w^2 p\,K_k, \qquad
              K_k = \Phi\left(\frac{e_{k+1} - x}{h}\right) - \Phi\left(\frac{e_k - x}{h}\right)

    to ``sumw`` and ``sumw2`` of bin :math:`k`, with edges :math:`e`, bandwidth :math:`h` and the outermost edges of
    under- and overflow at infinity, so that nothing is lost. For :math:`h \to 0` this is `fill_hard`. Derivatives in
    forward and reverse mode and of second order are exact with respect to values, weights, probabilities, bandwidth
    and edges. Time is O(entries x bins), memory O(entries), also in the backward pass.

    Parameters
    ----------
    values : jax.Array
        Observable, any shape (``(n,)``), in the unit of the axis. ``-inf`` goes to the underflow, ``+inf`` and NaN to
        the overflow, with zero gradient.
    weight : jax.Array or float
        Event weights; a scalar or the shape of `values`. Entries of weight zero change nothing.
    axis : Axis or array
        The axis, or increasing finite edges of shape ``(bins + 1,)``, which may be traced.
    bandwidth : jax.Array or float
        Standard deviation of the kernel in the unit of the axis, a positive scalar. Anneal it, never learn it: an
        optimiser that may change it exploits the smearing.
    probability : jax.Array or float, optional
        Probability in [0, 1] that the entry passes the selection; a scalar or the shape of `values`; 1 by default.
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
        float32, or float64 if an input is. The float32 sums of 1e6 entries agree with float64 to 1e-6.

    Raises
    ------
    ValueError
        If shapes do not fit, or the bandwidth is not a positive scalar.

    References
    ----------
    N. Simpson, L. Heinrich, neos: End-to-End-Optimised Summary Statistics for High Energy Physics, arXiv:2203.05570.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.histogram import Regular, fill_soft
    >>> counts = fill_soft(jnp.array([0.5, 1.0]), 2.0, Regular(2, 0, 2), bandwidth=0.01)
    >>> print(counts.sumw)
    [0. 3. 1. 0.]
    """
    _check_bandwidth(bandwidth)
    values = jnp.asarray(values)
    edges, dtype = working_edges(axis, values, weight, probability, bandwidth)
    return accumulate(
        _bin_sums,
        (jnp.asarray(edges, dtype), jnp.asarray(bandwidth, dtype)),
        jnp.where(jnp.isnan(values), jnp.inf, values),
        weight,
        probability=probability,
        groups=groups,
        num_groups=num_groups,
        block_size=block_size,
    )


def _check_bandwidth(bandwidth: jax.Array | float) -> None:
    if jnp.ndim(bandwidth) != 0:
        raise ValueError(f"bandwidth must be a scalar, got shape {jnp.shape(bandwidth)}")
    if not isinstance(bandwidth, jax.core.Tracer) and not bandwidth > 0:
        raise ValueError(f"bandwidth must be positive, got {bandwidth}; fill_hard is the limit of bandwidth 0")


def _standardised(values: jax.Array, edges: jax.Array, bandwidth: jax.Array) -> jax.Array:
    """Return (edge - value) / bandwidth, shape (edges, n), cut off where the Gaussian is exactly zero.

    The cut comes before the division, so that neither infinite values nor a tiny bandwidth make a derivative NaN.
    """
    reach = (15.0 if values.dtype == np.float32 else 40.0) * bandwidth
    return jnp.clip(edges[:, None] - values, -reach, reach) * (1 / bandwidth)


def _contents(distance: jax.Array) -> jax.Array:
    return bin_contents(0.5 + 0.5 * jax.lax.erf(distance * math.sqrt(0.5)))


@jax.custom_jvp
def _bin_sums(values: jax.Array, columns: jax.Array, edges: jax.Array, bandwidth: jax.Array) -> jax.Array:
    return exact_dot(columns, _contents(_standardised(values, edges, bandwidth)).T)


def _bin_sums_jvp(primals: tuple[jax.Array, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
    """Differentiate by matrix products with the Gaussian: half the temporaries of automatic differentiation."""
    values, columns, edges, bandwidth = primals
    d_values, d_columns, d_edges, d_bandwidth = tangents
    distance = _standardised(values, edges, bandwidth)
    contents = _contents(distance)
    sums = exact_dot(columns, contents.T)
    d_sums = jnp.zeros_like(sums)
    if not isinstance(d_columns, SymbolicZero):
        d_sums += exact_dot(d_columns, contents.T)

    density = jnp.exp(-0.5 * distance**2) / math.sqrt(2 * math.pi)
    d_below = jnp.zeros((columns.shape[0], edges.size), sums.dtype)
    if not isinstance(d_values, SymbolicZero):
        d_below -= exact_dot(columns * d_values, density.T)
    if not isinstance(d_bandwidth, SymbolicZero):
        d_below -= exact_dot(columns, (density * distance).T) * d_bandwidth
    if not isinstance(d_edges, SymbolicZero):
        d_below += exact_dot(columns, density.T) * d_edges
    d_below = jnp.pad(d_below / bandwidth, ((0, 0), (1, 1)))
    return sums, d_sums + d_below[:, 1:] - d_below[:, :-1]


_bin_sums.defjvp(_bin_sums_jvp, symbolic_zeros=True)
