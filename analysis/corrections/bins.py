"""Bins of many nodes at once: whose edges a number lies between, for the edges of each number's own node."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# so many edges are compared with one by one, which is several times faster than a search
FEW = 32


@dataclasses.dataclass(frozen=True)
class EdgeTable:
    """The edges of several nodes end to end.

    Attributes
    ----------
    edges
        float64, shape (edges of all nodes,).
    starts
        Shape (nodes,): where the edges of each node begin.
    counts
        Shape (nodes,): how many they are.
    """

    edges: np.ndarray
    starts: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, nodes: Sequence[np.ndarray]) -> EdgeTable:
        """Return the table of the edges of each node.

        Edges increase; each node has at least one.
        """
        counts = np.array([len(edges) for edges in nodes], np.int32)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32)
        return cls(np.concatenate(nodes), starts, counts)

    def passed(self, node: jax.Array, x: jax.Array) -> jax.Array:
        """Return how many edges of its node each number has reached: 0 below the first, all at and above the last.

        A number that is none has reached all, as for C++'s ``upper_bound``. Both have shape (points,).
        """
        edges = at_least_as_precise(self.edges, x.dtype)
        same = len(set(self.counts.tolist())) == 1 and not np.any(
            edges.reshape(len(self.counts), -1) != edges[: self.counts[0]]
        )
        most = int(self.counts.max())
        if same and most <= FEW:
            return sum(
                (jnp.logical_not(x < edge).astype(jnp.int32) for edge in edges[:most]), jnp.zeros(x.shape, jnp.int32)
            )
        table = jnp.asarray(edges[:most] if same else edges)
        start = jnp.zeros(x.shape, jnp.int32) if same else _take(jnp.asarray(self.starts), node)
        low, high = start, start + (most if same else _take(jnp.asarray(self.counts), node))
        for _ in range(math.ceil(math.log2(most + 1))):
            middle = (low + high) // 2
            reached = (low < high) & ~(x < _take(table, jnp.minimum(middle, len(table) - 1)))
            low, high = jnp.where(reached, middle + 1, low), jnp.where(reached, high, middle)
        return low - start


def _take(table: jax.Array, index: jax.Array) -> jax.Array:
    return table.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def at_least_as_precise(edges: np.ndarray, dtype: Any) -> np.ndarray:
    """Return the least numbers of a type that are not below the edges: comparing with them is comparing with the edges.

    Edges are float64.

    Examples
    --------
    >>> import numpy as np
    >>> from hepgrad.analysis.corrections.bins import at_least_as_precise
    >>> bool(np.float64(at_least_as_precise(np.array([0.1]), np.float32)[0]) >= 0.1)
    True
    >>> at_least_as_precise(np.array([0.5, 2.0]), np.int32).tolist()
    [1, 2]
    """
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return np.clip(np.ceil(edges), limits.min, limits.max).astype(dtype)
    rounded = edges.astype(dtype)
    return np.where(rounded.astype(np.float64) < edges, np.nextafter(rounded, np.array(np.inf, dtype)), rounded)


def explicit_edges(edges: Any) -> np.ndarray:
    """Return edges as numbers, also of equal bins, which correctionlib finds by arithmetic.

    Each edge is the least number that this arithmetic, ``n * ((x - low) / (high - low))``, puts into the bin. They are
    a list of numbers (``"inf"`` and ``"-inf"`` among them), or ``{"n": ..., "low": ..., "high": ...}``. Raises
    `ValueError` when edges do not increase, or there is no bin.
    """
    if isinstance(edges, dict):
        number, low, high = int(edges["n"]), float(edges["low"]), float(edges["high"])
        if number < 1 or not low < high:
            raise ValueError(f"equal bins need a number of at least 1 and a low edge below the high one, got {edges}")
        return np.array([low, *(_first_of_bin(k, number, low, high) for k in range(1, number)), high])
    found = np.array([float(edge) for edge in edges])
    if len(found) < 2 or np.any(np.diff(found) <= 0) or np.any(np.isnan(found)):
        raise ValueError(f"edges must increase, at least two of them; got {found[:6].tolist()}")
    return found


def _bin_of(x: float, number: int, low: float, high: float) -> int:
    return min(int(number * ((x - low) / (high - low))), number - 1)


def _first_of_bin(k: int, number: int, low: float, high: float) -> float:
    """Return the least number that the arithmetic of equal bins puts into bin ``k``, by bisection."""
    below, inside = _ordered(low), _ordered(high)
    while inside - below > 1:
        middle = (below + inside) // 2
        if _bin_of(_float_of(middle), number, low, high) >= k:
            inside = middle
        else:
            below = middle
    return _float_of(inside)


def _ordered(x: float) -> int:
    """Return an integer for each floating-point number, in the same order and without gaps."""
    bits = int(np.float64(x).view(np.int64))
    return bits if bits >= 0 else -(bits & 0x7FFFFFFFFFFFFFFF)


def _float_of(ordered: int) -> float:
    bits = ordered if ordered >= 0 else -ordered - 2**63
    return float(np.int64(bits).view(np.float64))
