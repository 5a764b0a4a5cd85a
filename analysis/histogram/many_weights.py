"""Filling the same entries with many weights, as the members of a set of parton distributions, by matrix products."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .binning import AnyEdges, Binning
from .counts import Counts
from .entries import CPU_BLOCK, Entries, sum_blocks
from .everywhere import dot, entries_at_once, fractions_of
from .hard import binning_of
from .kernel import Kernel
from .several import Observables, apart, stacked


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Weighted:
    """Entries, and for each of them the factors on its weight, shape (n, factors)."""

    entries: Entries
    factors: jax.Array

    @property
    def weight(self) -> jax.Array:
        return self.entries.weight


def fill_hard_many(observables: Observables, factors: jax.Array, axes: Sequence[AnyEdges]) -> list[Counts]:
    """Fill ordinary histograms with many weights.

    ``factors`` on the weights have shape (factors, events); the results have shape (factors, groups, bins + 2), one for
    each axis.
    """
    dtype = observables.dtype(axes, factors)
    binnings = [binning_of(axis, dtype) for axis in axes]

    def parts(entries: Entries, binning: Binning) -> jax.Array:
        bins = binning.exactly(jax.lax.stop_gradient(entries.values[0]))
        return (bins == jnp.arange(binning.number + 1)[:, None]).astype(dtype)

    return _filled(observables, factors.astype(dtype), axes, (stacked(binnings),), parts)


def fill_soft_many(
    observables: Observables,
    factors: jax.Array,
    axes: Sequence[AnyEdges],
    *,
    bandwidths: Sequence[jax.Array | float],
    kernel: Kernel,
) -> list[Counts]:
    """Fill histograms with many weights, each entry smeared by a kernel; the rest is as for `fill_hard_many`."""
    dtype = observables.dtype(axes, factors, *bandwidths)
    sizes = jnp.stack([kernel.unit * jnp.asarray(h, dtype) for h in bandwidths])

    def parts(entries: Entries, binning: Binning, size: jax.Array) -> jax.Array:
        return fractions_of(entries.values[0], binning, size, kernel)

    binnings = stacked([Binning.of(axis, dtype) for axis in axes])
    return _filled(observables, factors.astype(dtype), axes, (binnings, sizes), parts)


def _filled(
    observables: Observables, factors: jax.Array, axes: Sequence[AnyEdges], more: tuple[Any, ...], parts: Any
) -> list[Counts]:
    """Return histograms, ``parts(entries, *more)`` being the part of each entry in each bin, shape (bins + 2, n)."""
    number = observables.num_groups

    def fill(entries: Entries, *own: Any) -> jax.Array:
        def sums(block: _Weighted) -> jax.Array:
            fractions = parts(block.entries, *own)
            is_group = jnp.equal(jnp.asarray(block.entries.group), jnp.arange(number)[:, None])[:, None]
            known = jnp.isfinite(block.factors)
            factors = jnp.where(known, block.factors, 0)

            def product(column: jax.Array, factors: jax.Array) -> jax.Array:
                # what is no number stays in its group
                cells = jnp.where(is_group, fractions * column, 0)
                return dot(cells.reshape(-1, column.size), factors)

            def spoilt(found: jax.Array) -> jax.Array:
                counts = jnp.abs(block.entries.columns[0]) > 0
                return jnp.where(product(counts.astype(found.dtype), (~known).astype(found.dtype)) > 0, jnp.nan, found)

            columns = zip(block.entries.columns, (factors, jnp.square(factors)), strict=True)
            found = jnp.stack([product(*each) for each in columns])
            # a factor that is no number makes none of the bins of its entry, and of no other
            found = jax.lax.cond(jnp.all(known), lambda found: found, spoilt, found)
            return jnp.moveaxis(found.reshape(2, number, -1, factors.shape[1]), -1, 1)

        few = entries_at_once(CPU_BLOCK, [own[0]], number)
        return sum_blocks(sums, _Weighted(entries, factors.T), block_size=few)

    return apart(observables.map(fill, factors.dtype, *more), axes)
