"""Edges in working precision, and the search for the bin of a value."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from .axis import Axis, Regular

AnyEdges = Axis | jax.Array | np.ndarray

# Up to here it is faster to compare with every edge than to search.
COMPARED_EDGES = 64


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Binning:
    """Edges and the bins that end there: bin 0 is the underflow, and the overflow follows the last edge.

    Attributes
    ----------
    edges : jax.Array
        Increasing, shape ``(number,)``.
    rest : jax.Array or None
        What rounding took from the edges: in float32, 1e-4 of a bin if there are 2,000 of them.
    is_regular : bool
        Whether the bin of a value follows by arithmetic.
    """

    edges: jax.Array
    rest: jax.Array | None
    is_regular: bool = dataclasses.field(metadata={"static": True})

    @classmethod
    def of(cls, axis: AnyEdges, dtype: np.dtype) -> Binning:
        """Return an axis, or edges as an array, in working precision.

        An array of edges has shape ``(bins + 1,)``. Raises `ValueError` if edges given as an array are not
        one-dimensional or fewer than two.
        """
        if not isinstance(axis, Axis):
            if np.ndim(axis) != 1 or np.shape(axis)[0] < 2:
                raise ValueError(f"expected an axis or at least two edges in one dimension, got shape {np.shape(axis)}")
            return cls(jnp.asarray(axis, dtype), None, False)
        edges = axis.edges.astype(dtype)
        rest = axis.edges - edges
        is_regular = isinstance(axis, Regular) and 8 * np.abs(rest).max() < np.diff(axis.edges).min()
        return cls(jnp.asarray(edges), jnp.asarray(rest, dtype) if rest.any() else None, is_regular)

    @property
    def number(self) -> int:
        """Number of edges, one less than that of bins with under- and overflow."""
        return self.edges.shape[0]

    def nearly(self, values: jax.Array) -> jax.Array:
        """Return the bin (int32) of each value (no NaN), right unless an edge is as near as rounding errors."""
        if not self.is_regular:
            return self._search(values)
        per_unit = (self.number - 1) / (self.edges[-1] - self.edges[0])
        return jnp.clip(jnp.floor((values - self.edges[0]) * per_unit) + 1, 0, self.number).astype(jnp.int32)

    def exactly(self, values: jax.Array) -> jax.Array:
        """Return the bin (int32) of each value (no NaN), which is the number of edges at or below it."""
        if not self.is_regular or self.number <= COMPARED_EDGES:
            return self._search(values)
        bins = self.nearly(values)
        lower, upper = self.distances(values, bins, 2)
        return bins - (lower > 0).astype(jnp.int32) + (upper <= 0).astype(jnp.int32)

    def _search(self, values: jax.Array) -> jax.Array:
        method = "compare_all" if self.number <= COMPARED_EDGES else "scan_unrolled"
        return jnp.searchsorted(self.edges, values, side="right", method=method).astype(jnp.int32)

    def distances(self, values: jax.Array, bins: jax.Array, number: int) -> list[jax.Array]:
        """Return ``edge - value`` for consecutive edges; outside of the axis these are infinite.

        Values are finite, shape ``(n,)``; ``bins`` (int32, shape ``(n,)``) is the bin whose lower edge is the first
        one, in ``[0, number of edges + 2]``. There are ``number`` results of shape ``(n,)``, with an error of a
        rounding of the distance, not of the value.
        """
        arrays = [jnp.pad(self.edges, (1, number + 2), constant_values=(-jnp.inf, jnp.inf))]
        if self.rest is not None:
            arrays.append(jnp.pad(self.rest, (1, number + 2)))
        # one row for each bin: to gather rows is much faster than to gather numbers
        rows = jnp.stack([a[i : i + self.number + 3] for a in arrays for i in range(number)], axis=1)
        gathered = rows.at[bins].get(mode="promise_in_bounds")
        distances = [gathered[:, i] - values for i in range(number)]
        if self.rest is None:
            return distances
        return [distance + gathered[:, number + i] for i, distance in enumerate(distances)]

    def touches_more(self, span: jax.Array, bins: int) -> jax.Array:
        """Return whether an interval can touch more bins than a number.

        The span includes its ends; there are at least two bins.
        """
        return jnp.any(self.edges[bins - 1 :] - self.edges[: 1 - bins] <= span)


def most_touched(edges: np.ndarray, span: float) -> int:
    """Return the largest number of bins that an interval can touch.

    The span includes its ends.
    """
    return int(np.max(np.searchsorted(edges, edges + span, side="right") - np.arange(edges.size))) + 1
