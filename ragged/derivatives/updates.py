"""Steps of an optimiser on ragged arrays: only the floating-point numbers move, never the rows."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..array import RaggedArray, RecordArray
from .transformations import conform, items_of, with_items


def apply_updates(params: Any, updates: Any) -> Any:
    """Return parameters plus updates, number by number; the rows, integers and booleans stay as they are.

    As `optax.apply_updates`, for pytrees that hold ragged arrays. Arithmetic on every leaf of such a pytree
    (``jax.tree.map(lambda p, g: p - 0.1 * g, x, gradient)``) would be done to the rows as well, and is refused.

    Parameters
    ----------
    params
        Ragged, record and plain arrays, numbers, or a pytree of them.
    updates
        Of the same structure, such as ``-0.1 * gradient``; or what an optimiser made of ``rg.items_of(gradient)``.

    Returns
    -------
    Any
        Of the structure and dtypes of ``params``.

    Raises
    ------
    StructureError
        When the rows of an update are not those of its parameter.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0], [], [3.0]])
    >>> rg.apply_updates(x, -0.5 * rg.grad(lambda x: rg.sum(x**2))(x))
    <RaggedArray [[0.0, 0.0], [], [0.0]] type='3 * var * float32'>

    With an optimiser of optax, whose state then holds no rows either:

    >>> import optax
    >>> adam = optax.adam(0.1)
    >>> state = adam.init(rg.items_of(x))
    >>> updates, state = adam.update(rg.items_of(rg.grad(lambda x: rg.sum(x**2))(x)), state)
    >>> rg.to_list(rg.apply_updates(x, updates)[0])[0] < 1
    True
    """
    items = items_of(params)
    has_rows = any(isinstance(x, RaggedArray | RecordArray) for x in _arrays(updates))
    steps = conform(updates, params, "apply_updates") if has_rows else updates
    moved = jax.tree.map(lambda p, u: jnp.asarray(p + u).astype(jnp.asarray(p).dtype), items, steps)
    return with_items(params, moved)


def _arrays(tree: Any) -> list[Any]:
    return jax.tree.leaves(tree, is_leaf=lambda x: isinstance(x, RaggedArray | RecordArray))
