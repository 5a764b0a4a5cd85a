"""Filling histograms of several axes from the same events: one program, however many there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from .axis import Axis
from .binning import AnyEdges, Binning
from .counts import Counts
from .entries import CPU_BLOCK, Entries, working_dtype
from .hard import binning_of, sums_of_hard
from .kernel import Kernel
from .soft import choose, programs_to_choose_from, sums_of_soft

# from an axis's entries and its edges (and more) to sums of shape (2, groups, cells)
Filler: TypeAlias = Callable[..., jax.Array]


@dataclasses.dataclass(frozen=True, eq=False)
class Observables:
    """What histograms of several axes are filled from, one value and probability per axis and event.

    Attributes
    ----------
    values, probability
        Shape (axes, events).
    weight
        Shape (events,).
    groups
        int32, shape (events,); ``num_groups`` and above is left out.
    num_groups
        The number of groups.
    """

    values: jax.Array
    probability: jax.Array
    weight: jax.Array
    groups: jax.Array
    num_groups: int

    def dtype(self, axes: Sequence[AnyEdges], *others: jax.Array | float) -> np.dtype:
        """Return the float dtype to compute in.

        Python numbers do not widen it.
        """
        return working_dtype(axes, self.values, self.weight, self.probability, *others)

    def map(self, fill: Filler, dtype: np.dtype, *more: object) -> jax.Array:
        """Return the sums of each axis, shape (axes, 2, groups, cells), in a loop over the axes.

        ``fill(entries, *more)`` is for one axis; ``more`` are pytrees with a leading dimension for the axes.
        """

        def one(each: tuple[jax.Array, jax.Array, tuple[object, ...]]) -> jax.Array:
            values, probability, own = each
            entries = Entries.of((values,), self.weight, probability, self.groups, self.num_groups, dtype)
            return fill(entries, *own)

        return jax.lax.map(one, (self.values, self.probability, more))


def fill_hard_each(observables: Observables, axes: Sequence[AnyEdges], *, block_size: int = CPU_BLOCK) -> list[Counts]:
    """Fill ordinary histograms, each as `fill_hard` does.

    There is one axis for each row of the observables; the results have shape (groups, bins + 2).
    """
    dtype = observables.dtype(axes)
    binning = stacked([binning_of(axis, dtype) for axis in axes])

    def fill(entries: Entries, binning: Binning) -> jax.Array:
        return sums_of_hard(entries, (binning,), number=observables.num_groups, block_size=block_size)

    return apart(observables.map(fill, dtype, binning), axes)


def fill_soft_each(
    observables: Observables,
    axes: Sequence[AnyEdges],
    *,
    bandwidths: Sequence[jax.Array | float],
    kernel: Kernel,
    block_size: int = CPU_BLOCK,
) -> list[Counts]:
    """Fill histograms with each entry smeared by a kernel, each as `fill_soft` does.

    Bandwidths are positive scalars, one for each axis; the rest is as for `fill_hard_each`.
    """
    dtype = observables.dtype(axes, *bandwidths)
    binnings, sizes = [Binning.of(axis, dtype) for axis in axes], [jnp.asarray(h, dtype) for h in bandwidths]
    more = (stacked(binnings), jnp.stack(sizes))
    number = observables.num_groups

    def run(touched: tuple[int, ...] | None) -> jax.Array:
        def fill(entries: Entries, binning: Binning, size: jax.Array) -> jax.Array:
            common: Any = {"kernel": kernel, "number": number, "block_size": block_size}
            return sums_of_soft(entries, (binning,), (size,), touched, **common)

        return observables.map(fill, dtype, *more)

    programs = programs_to_choose_from([max(b.number for b in binnings) + 1], kernel, dtype)
    cases = [((binning,), (size,)) for binning, size in zip(binnings, sizes, strict=True)]
    return apart(choose(run, programs, cases, kernel), axes)


def stacked(binnings: Sequence[Binning]) -> Binning:
    """Return binnings as one with a leading dimension; short ones end in edges at infinity, which nothing reaches."""
    most = max(binning.number for binning in binnings)

    def padded(array: jax.Array, value: float) -> jax.Array:
        return jnp.pad(array, (0, most - array.shape[0]), constant_values=value)

    edges = jnp.stack([padded(binning.edges, jnp.inf) for binning in binnings])
    rests = [jnp.zeros_like(b.edges) if b.rest is None else b.rest for b in binnings]
    exact = all(binning.rest is None for binning in binnings)
    return Binning(edges, None if exact else jnp.stack([padded(rest, 0) for rest in rests]), False)


def apart(sums: jax.Array, axes: Sequence[AnyEdges]) -> list[Counts]:
    """Return the histogram of each axis, of sums of shape (axes, 2, ..., cells)."""
    cells = [len(axis.edges if isinstance(axis, Axis) else axis) + 1 for axis in axes]
    return [Counts(sums[i, 0, ..., :number], sums[i, 1, ..., :number]) for i, number in enumerate(cells)]
