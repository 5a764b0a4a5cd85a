"""Soft filling of all bins by matrix products: for few bins, or kernels that touch most of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from .binning import Binning
from .entries import Entries
from .kernel import Kernel, part_below


def entries_at_once(block_size: int, binnings: Sequence[Binning], number: int) -> int:
    """Return how many entries to fill at once, so that a block needs no more memory than `fill_nearby` does."""
    *others, last = [binning.number + 1 for binning in binnings]
    return max(16 * block_size // (last + 2 * number * math.prod(others)), 1)


def fill_everywhere(
    entries: Entries,
    *,
    binnings: Sequence[Binning],
    bandwidths: Sequence[jax.Array],
    kernel: Kernel,
    number: int,
) -> jax.Array:
    """Return the sums over entries of their weights times their fractions in all bins.

    Entries are so few that ``bins * entries`` numbers stay in the cache; ``number`` is that of groups. The result has
    shape ``(2, number, bins + 2, ...)``: sums of weights, and their variances.
    """
    columns = jnp.stack(entries.columns)
    if entries.group is not None:
        columns = jnp.where(entries.group == jnp.arange(number)[:, None], columns[:, None], 0)
    *others, last = [
        fractions_of(values, binning, kernel.unit * bandwidth, kernel)
        for values, binning, bandwidth in zip(entries.values, binnings, bandwidths, strict=True)
    ]
    products = columns.reshape(2 * number, -1)
    for fractions in others:
        products = (products[:, None] * fractions).reshape(-1, products.shape[-1])
    return dot(products, last.T).reshape(2, number, *(binning.number + 1 for binning in binnings))


def fractions_of(values: jax.Array, binning: Binning, size: jax.Array, kernel: Kernel) -> jax.Array:
    """Return the fraction of each kernel in each bin, shape (bins + 2, n)."""
    # A product with ones repeats the values as broadcasting does, but has a transpose that is twice as fast.
    repeated = dot(jnp.ones((binning.number + 1, 1), values.dtype), values[None])

    def below(first: int, last: int) -> jax.Array:
        edges = jnp.pad(binning.edges, (first, last), constant_values=(-jnp.inf, jnp.inf))
        distance = edges[:, None] - repeated
        if binning.rest is not None:
            distance += jnp.pad(binning.rest, (first, last))[:, None]
        return part_below(kernel, size, distance)

    # To compute each edge twice is faster than to subtract neighbours.
    return below(0, 1) - below(1, 0)


def dot(left: jax.Array, right: jax.Array) -> jax.Array:
    """Multiply matrices in the full precision of the inputs (accelerators round float32 inputs by default)."""
    return jnp.dot(left, right, precision=jax.lax.Precision.HIGHEST)
