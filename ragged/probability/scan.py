"""Running reductions along rows: each item combined with all items before it (or behind it) in its row.

The scan takes log2(longest row) passes over the buffer; in each, an item is combined with the one a power of two before
it, if that lies in the same row (Hillis and Steele, "Data parallel algorithms", Commun. ACM 29 (1986) 1170). On a CPU
this is several times faster than `jax.lax.associative_scan`, to run as well as to compile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

# where the longest row is not known, the program looks before it goes on beyond rows of these lengths
LOOK_AT = (32, 1024)


def scan_by_id(
    combine: Callable[[Any, Any], Any],
    items: Any,
    ids: jax.Array,
    num: int,
    *,
    identity: Any,
    longest: int | None = None,
    reverse: bool = False,
) -> Any:
    """Return, for each item, the combination of the items with its id up to and including it.

    ``combine(earlier, later)`` is an associative function of two pytrees of arrays, shape (n, ...) each, which leaves
    the other side unchanged with the numbers ``identity``. ``ids`` (int32, shape (items,)) are equal for the items of
    one row, which lie next to each other, and ``num``, the static number of rows, for items to leave out, which keep
    their value. No row is longer than ``longest`` (static; None when unknown). With ``reverse`` each item is combined
    with those behind it.
    """
    count = ids.shape[0]

    def double(items: Any, step: int) -> Any:
        same = _same(ids, num, step)
        ahead, behind = _cut(items, None, -step), _cut(items, step, None)
        # the identity in place of another row's item also keeps that item out of the derivative
        if reverse:
            return _join(combine(ahead, _where(same, behind, identity)), _cut(items, -step, None))
        return _join(_cut(items, None, step), combine(_where(same, ahead, identity), behind))

    def go_on(items: Any, step: int) -> Any:
        while step < (count if longest is None else min(longest, count)):
            items = double(items, step)
            step *= 2
            if longest is None and step in LOOK_AT and step < count:
                longer = jnp.any(_same(ids, num, step))
                return lax.cond(longer, partial(go_on, step=step), lambda items: items, items)
        return items

    return go_on(items, 1)


def shift_by_id(items: Any, ids: jax.Array, num: int, *, identity: Any, reverse: bool = False) -> Any:
    """Return, for each item, the one before it (or behind it) with the same id, and the identity where there is none.

    Arguments are those of `scan_by_id`.
    """
    if ids.shape[0] == 0:
        return items
    same = _same(ids, num, 1)
    edge = jax.tree.map(lambda x, e: jnp.full((1, *x.shape[1:]), e, x.dtype), items, identity)
    if reverse:
        return _join(_where(same, _cut(items, 1, None), identity), edge)
    return _join(edge, _where(same, _cut(items, None, -1), identity))


def exclusive_products(values: jax.Array, ids: jax.Array, num: int, longest: int | None) -> jax.Array:
    """Return, for each item, the product of the other items with its id, without a division.

    ``values`` have shape (items, ...); the rest is as for `scan_by_id`.
    """
    before = scan_by_id(jnp.multiply, values, ids, num, identity=1, longest=longest)
    behind = scan_by_id(jnp.multiply, values, ids, num, identity=1, longest=longest, reverse=True)
    return shift_by_id(before, ids, num, identity=1) * shift_by_id(behind, ids, num, identity=1, reverse=True)


def _same(ids: jax.Array, num: int, step: int) -> jax.Array:
    return (ids[step:] == ids[:-step]) & (ids[step:] < num)


def _cut(items: Any, start: int | None, stop: int | None) -> Any:
    return jax.tree.map(lambda x: x[start:stop], items)


def _join(first: Any, second: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second)


def _where(mask: jax.Array, items: Any, identity: Any) -> Any:
    def choose(x: jax.Array, e: Any) -> jax.Array:
        return jnp.where(mask.reshape(mask.shape + (1,) * (x.ndim - 1)), x, jnp.asarray(e, x.dtype))

    return jax.tree.map(choose, items, identity)
