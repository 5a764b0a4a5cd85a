"""Groups of items, and what every reducer is made of: sums, products and extremes of each group.

Groups come from rows, from an axis (`hepgrad.ragged.reduce.axis`), or are everything there is.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from ..array import RaggedArray
from .products import prod_by_id, prod_in_order
from .segments import bound, column, extreme_by_id, identity, spread
from .sums import sum_by_id, sum_dtype, sum_in_order


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Groups:
    """The group of each item.

    Attributes
    ----------
    ids
        int32, shape (items,): the group; ``num`` for items to leave out.
    offsets
        int32, shape (num + 1,), when the items of a group lie next to each other, in order; else None.
    index
        int32, shape (items,): the position of an item in its group along the axis, when it does not follow from the
        offsets; else None.
    num
        The number of groups (static).
    longest
        No group has more items (static); None when unknown.
    exact
        Static: True when no item is to be left out.
    crowd
        int32 scalar: the same bound as ``longest`` when only the running program knows it; else None.
    """

    ids: jax.Array
    offsets: jax.Array | None
    index: jax.Array | None
    num: int = dataclasses.field(metadata={"static": True})
    longest: int | None = dataclasses.field(metadata={"static": True})
    exact: bool = dataclasses.field(metadata={"static": True})
    crowd: jax.Array | None = None

    def sum(self, values: jax.Array) -> jax.Array:
        """Return the sum of each group."""
        if self.offsets is None:
            return sum_by_id(values, self.ids, self.num, longest=self.longest, crowd=self.crowd)
        return sum_in_order(values, self.ids, self.offsets, self.longest)

    def prod(self, values: jax.Array) -> jax.Array:
        """Return the product of each group."""
        if self.offsets is None:
            return prod_by_id(values, self.ids, self.num)
        return prod_in_order(values, self.ids, self.num, self.longest)

    def extreme(self, values: jax.Array, *, largest: bool) -> jax.Array:
        """Return the largest or the smallest item of each group, NaN passed over."""
        return extreme_by_id(values, self.ids, self.num, largest=largest, ordered=self.offsets is not None)

    def count(self) -> jax.Array:
        """Return the number of items of each group."""
        if self.offsets is None:
            return sum_by_id(jnp.ones(self.ids.shape, jnp.int32), self.ids, self.num)
        return self.offsets[1:] - self.offsets[:-1]

    def spread(self, results: jax.Array) -> jax.Array:
        """Return the result of its group for each item; 0 for items that are left out."""
        return spread(results, self.ids, ordered=self.offsets is not None)

    def clean(self, values: jax.Array, fill: Any = 0) -> jax.Array:
        """Return the values with ``fill`` for items that are left out, so that nothing singular happens there."""
        return values if self.exact else jnp.where(column(self.ids < self.num, values), values, fill)

    def positions(self) -> tuple[jax.Array, jax.Array | int]:
        """Return the position of each item in its group, and that of the first item of its group."""
        if self.index is not None:
            return self.index, self.spread(extreme_by_id(self.index, self.ids, self.num, largest=False))
        assert self.offsets is not None
        return jnp.arange(self.ids.shape[0], dtype=jnp.int32) - self.spread(self.offsets[:-1]), 0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Whole:
    """All items in one group, as ``axis=None`` asks; the interface is that of `Groups`, on flat arrays.

    ``valid`` (bool, shape (items,); None for all) tells which items to use, ``items`` (static) how many the buffer
    holds.
    """

    valid: jax.Array | None
    items: int = dataclasses.field(metadata={"static": True})

    def sum(self, values: jax.Array) -> jax.Array:
        """Return the sum of all items."""
        return jnp.sum(self.clean(values).astype(sum_dtype(values.dtype)))

    def prod(self, values: jax.Array) -> jax.Array:
        """Return the product of all items."""
        return jnp.prod(self.clean(values, 1).astype(sum_dtype(values.dtype)))

    def extreme(self, values: jax.Array, *, largest: bool) -> jax.Array:
        """Return the largest or the smallest item; NaN if there is one, as Awkward does without an axis."""
        nothing = identity(values.dtype, largest=largest)
        return (jnp.max if largest else jnp.min)(self.clean(values, nothing), initial=nothing)

    def count(self) -> jax.Array:
        """Return the number of items."""
        return jnp.asarray(self.items, jnp.int32) if self.valid is None else jnp.sum(self.valid, dtype=jnp.int32)

    def spread(self, results: jax.Array) -> jax.Array:
        """Return the result for each item (broadcasting does it)."""
        return results

    def clean(self, values: jax.Array, fill: Any = 0) -> jax.Array:
        """Return the values with ``fill`` for items that are left out."""
        return values if self.valid is None else jnp.where(self.valid, values, fill)

    def positions(self) -> tuple[jax.Array, jax.Array | int]:
        """Return the position of each item, and that of the first."""
        return jnp.arange(self.items, dtype=jnp.int32), 0


def groups_of(rows: RaggedArray) -> Groups:
    """Return the rows of a ragged array as groups.

    Its content is not looked at.
    """
    return Groups(rows.row_ids, rows.offsets, None, rows.rows, bound(rows), rows.exact)
