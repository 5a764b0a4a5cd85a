"""Products of the items that share an id, exact to any order of the derivative also where items are zero."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..array import RaggedArray
from ..probability.scan import exclusive_products
from .segments import bound, column, spread
from .sums import add_in_turn, narrowed, sum_dtype, widened


def segment_prod(values: jax.Array, rows: RaggedArray) -> jax.Array:
    """Return the product of each row's items; 1 for an empty row.

    The derivatives are exact where items are zero, to any order, forward and reverse.

    Parameters
    ----------
    values
        Shape (capacity, ...), laid out like the items of ``rows``.
    rows
        The array that says which items form a row.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[2.0, 3.0], [], [4.0]])
    >>> rg.segment_prod(x.content, x)
    Array([6., 1., 4.], dtype=float32)
    """
    return prod_in_order(values, rows.row_ids, rows.rows, bound(rows))


def prod_in_order(values: jax.Array, ids: jax.Array, num: int, longest: int | None) -> jax.Array:
    """Return the products of the items with the same id, which lie next to each other, in order; shape (num, ...).

    ``num`` is static; the rest is as for `sum_in_order`.
    """
    return _prod(values, ids, num=num, longest=longest)


def prod_by_id(values: jax.Array, ids: jax.Array, num: int) -> jax.Array:
    """Return the products of the items with the same id, in any order; shape (num, ...).

    Arguments are those of `sum_by_id`.
    """
    order = jnp.argsort(jnp.minimum(ids, num), stable=True)
    return _prod(values[order], jnp.minimum(ids, num)[order], num=num, longest=None)


@partial(jax.jit, static_argnames=("num", "longest"))
def _prod(values: jax.Array, ids: jax.Array, *, num: int, longest: int | None) -> jax.Array:
    values = values.astype(sum_dtype(values.dtype))
    if jnp.issubdtype(values.dtype, jnp.inexact):
        return narrowed(_prod_inexact(widened(values), ids, num, longest), values.dtype)
    return _multiply(values, ids, num)


def _multiply(values: jax.Array, ids: jax.Array, num: int) -> jax.Array:
    ones = jnp.ones((num, *values.shape[1:]), values.dtype)
    return ones.at[ids].multiply(values, mode="drop", indices_are_sorted=True, wrap_negative_indices=False)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _prod_inexact(values: jax.Array, ids: jax.Array, num: int, longest: int | None) -> jax.Array:
    return _multiply(values, ids, num)


@_prod_inexact.defjvp
def _prod_jvp(num: int, longest: int | None, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    values, ids = primals
    # d prod = sum of each item's tangent times the product of the others
    product = _prod_inexact(values, ids, num, longest)
    others = exclusive_by_id(values, product, ids, num, longest)
    return product, add_in_turn(tangents[0] * others, ids, num)


@partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def exclusive_by_id(values: jax.Array, product: jax.Array, ids: jax.Array, num: int, longest: int | None) -> jax.Array:
    """Return, for each item, the product of the other items with its id; ids in order.

    In closed form, product / item, with the zeros counted; the derivative is that of running products from both sides,
    which holds to any order. ``values`` are floats or complex numbers, shape (items, ...), and ``product``, shape (num,
    ...), the products of all items with the same id, which the caller has anyway. ``ids`` (int32, shape (items,)) never
    decrease, and are ``num`` (static) for items to leave out, for which the result is 1. At most ``longest`` items
    share an id (static; None when unknown).
    """
    values = jnp.where(column(ids < num, values), values, 1)
    is_zero = values == 0

    def with_zeros(values: jax.Array, product: jax.Array) -> jax.Array:
        safe = jnp.where(is_zero, 1, values)
        zeros = spread(add_in_turn(is_zero, ids, num), ids)
        other_zeros = zeros - is_zero.astype(zeros.dtype)
        return jnp.where(other_zeros == 0, spread(_multiply(safe, ids, num), ids, fill=1) / safe, 0)

    def without_zeros(values: jax.Array, product: jax.Array) -> jax.Array:
        return spread(product, ids, fill=1) / values

    return lax.cond(jnp.any(is_zero), with_zeros, without_zeros, values, product)


@exclusive_by_id.defjvp
def _exclusive_jvp(num: int, longest: int | None, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    values, product, ids = primals
    used = column(ids < num, values)

    def by_scan(values: jax.Array) -> jax.Array:
        return exclusive_products(jnp.where(used, values, 1), ids, num, longest)

    tangent = jax.jvp(by_scan, (values,), (tangents[0],))[1]
    return exclusive_by_id(values, product, ids, num, longest), tangent
