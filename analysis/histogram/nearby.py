"""Soft filling of the few bins that each kernel touches, however many there are."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .binning import Binning
from .deposit import deposit
from .entries import Entries
from .kernel import Kernel, part_below

# Bins of an axis that are filled at once; a loop goes over more.
AT_ONCE = 8


def reach(kernel: Kernel, bandwidth: Any, edges: Any, dtype: np.dtype) -> Any:
    """Return how far from a value an edge matters, errors in the search for it included.

    The bandwidth is the kernel's standard deviation; the result is in the unit of the axis.
    """
    precision = float(np.finfo(dtype).eps)
    # edges at infinity are those that a binning lacks to the length of others
    largest = abs(edges).max(where=abs(edges) < np.inf, initial=0)
    return kernel.unit * kernel.reach(precision) * bandwidth + 8 * precision * largest


def fill_nearby(
    entries: Entries,
    *,
    binnings: Sequence[Binning],
    bandwidths: Sequence[jax.Array],
    kernel: Kernel,
    number: int,
    touched: Sequence[int],
) -> jax.Array:
    """Return the sums over entries of their weights times their fractions in the bins that they touch.

    ``touched`` is the largest number of bins of each axis that are within reach of an entry, at least two, and
    ``number`` that of groups. The result has shape ``(2, number, bins + 2, ...)``: sums of weights, and their
    variances.
    """
    loops = [-(-bins // AT_ONCE) for bins in touched]
    widths = [-(-bins // loop) for bins, loop in zip(touched, loops, strict=True)]
    fractions_of = _all_fractions if max(loops) == 1 else _next_fractions
    reaches = [reach(kernel, h, b.edges, b.edges.dtype) for h, b in zip(bandwidths, binnings, strict=True)]
    first = [b.nearly(x - away) for b, x, away in zip(binnings, entries.values, reaches, strict=True)]
    group = 0 if entries.group is None else entries.group

    def window(offset: Sequence[int] | jax.Array) -> jax.Array:
        bins = [jnp.minimum(f + step, b.number + 1) for f, step, b in zip(first, offset, binnings, strict=True)]
        fractions = [
            fractions_of(x, there, b, functools.partial(part_below, kernel, kernel.unit * h), width)
            for x, there, b, h, width in zip(entries.values, bins, binnings, bandwidths, widths, strict=True)
        ]
        sums = _spread(entries.columns, bins, fractions, group, (number, *(b.number + 2 for b in binnings)))
        return sums[:, :, *[slice(-1)] * len(binnings)]

    if max(loops) == 1:
        return window([0] * len(binnings))
    offsets = itertools.product(*(range(0, loop * width, width) for loop, width in zip(loops, widths, strict=True)))
    zeros = jnp.zeros((2, number, *(b.number + 1 for b in binnings)), entries.weight.dtype)
    return jax.lax.scan(lambda sums, offset: (sums + window(offset), None), zeros, jnp.array(list(offsets)))[0]


def _spread(
    columns: Sequence[jax.Array],
    bins: Sequence[jax.Array],
    fractions: Sequence[Sequence[jax.Array]],
    group: jax.Array | int,
    shape: tuple[int, ...],
) -> jax.Array:
    """Deposit the products of the fractions in the bins of all axes, shape (len(columns), *shape)."""
    number, size, *rest = shape
    if not rest:
        return deposit(columns, bins[0], fractions[0], group, (number, size))
    size += len(fractions[0])

    def add(sums: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        offset, fraction = step
        row = group * size + bins[0] + offset
        shares = [column * fraction for column in columns]
        return sums + _spread(shares, bins[1:], fractions[1:], row, (number * size, *rest)), None

    zeros = jnp.zeros((len(columns), number * size, *rest), columns[0].dtype)
    sums = jax.lax.scan(add, zeros, (jnp.arange(len(fractions[0])), jnp.stack(fractions[0])))[0]
    return sums.reshape(len(columns), number, size, *rest)[:, :, : shape[1]]


def _all_fractions(
    values: jax.Array, bins: jax.Array, binning: Binning, below: Callable[[jax.Array], jax.Array], width: int
) -> list[jax.Array]:
    """Return the fractions of kernels in ``width`` bins, with nothing below or above them."""
    parts = map(below, binning.distances(values, bins + 1, width - 1))
    return _differences([jnp.zeros_like(values), *parts, jnp.ones_like(values)])


def _next_fractions(
    values: jax.Array, bins: jax.Array, binning: Binning, below: Callable[[jax.Array], jax.Array], width: int
) -> list[jax.Array]:
    """Return the fractions of kernels in ``width`` bins out of more."""
    return _differences(map(below, binning.distances(values, bins, width + 1)))


def _differences(parts: Iterable[jax.Array]) -> list[jax.Array]:
    return [upper - lower for lower, upper in itertools.pairwise(parts)]
