"""Adding entries to the few bins next to each other that they touch."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp

# Entries per copy of a histogram, in units of its size: so many that clearing and adding the copies costs little.
ENTRIES_PER_CELL = 8


def deposit(
    columns: Sequence[jax.Array],
    first: jax.Array,
    fractions: Sequence[jax.Array | float],
    group: jax.Array | int,
    shape: tuple[int, int],
) -> jax.Array:
    """Add columns of weights, split into fractions, to neighbouring bins.

    Entries take turns in several copies of the histogram, which are added in the end: long float32 sums are not
    accurate, and a processor waits when it adds to the same bin twice in a row. Columns have shape ``(n,)``. ``first``
    (int32, in range) is the first bin that an entry touches, and fractions are those in that bin and the ones after it;
    what lies beyond the last bin is left out. ``group`` (int32, in range) is the histogram to add to, ``shape`` the
    number of histograms and of their bins. The result has shape ``(len(columns), *shape)``.
    """
    number, bins = shape
    (size,) = first.shape
    copies = max(size // (ENTRIES_PER_CELL * number * bins), 1)
    index = (jnp.arange(size, dtype=jnp.int32) % copies * number + group) * bins + first
    updates = [column * fraction for column in columns for fraction in fractions]
    sums = _scatter(copies * number * bins, index, updates)
    sums = sums.reshape(copies, number, bins, len(columns), len(fractions)).sum(axis=0)
    sums = jnp.moveaxis(sums, (2, 3), (1, 0))
    shifted = [jnp.pad(each[..., : bins - step], ((0, 0), (0, 0), (step, 0))) for step, each in enumerate(sums)]
    return functools.reduce(operator.add, shifted)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _scatter(size: int, index: jax.Array, updates: Sequence[jax.Array]) -> jax.Array:
    """Return the sums of each update by index, shape (size, len(updates)).

    On a CPU it is fastest to add the updates one after the other, but to gather their cotangents in rows. Hence the
    derivative writes the same linear function as an addition of rows, whose transpose that is.
    """
    return jnp.stack([_add(jnp.zeros(size, update.dtype), index, update) for update in updates], axis=-1)


@_scatter.defjvp
def _scatter_jvp(
    size: int, primals: tuple[jax.Array, Sequence[jax.Array]], tangents: tuple[jax.Array, Sequence[jax.Array]]
) -> tuple[jax.Array, jax.Array]:
    index, updates = primals
    rows = jnp.stack(tangents[1], axis=-1)
    return _scatter(size, index, updates), _add(jnp.zeros((size, len(updates)), rows.dtype), index, rows)


def _add(sums: jax.Array, index: jax.Array, updates: jax.Array) -> jax.Array:
    return sums.at[index].add(updates, mode="promise_in_bounds")
