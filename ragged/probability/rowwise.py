"""Operations along a row that Awkward lacks: running sums and products, the largest few, the closest partner."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ..array import RaggedArray, content_of, with_length
from ..errors import StructureError
from ..functions.promotion import holding
from ..reduce.axis import by_axis, with_numbers
from ..reduce.groups import Groups
from ..reduce.positions import argmin
from ..reduce.products import exclusive_by_id, prod_in_order
from ..reduce.segments import spread
from ..reduce.sums import narrowed, sum_dtype, widened
from ..resize import settle
from ..rows import common_rows, cut, rows_of
from ..slicing.gather import take
from ..structure.order import argsort
from ..structure.pairs import row_pairs
from .scan import scan_by_id, shift_by_id


def cumsum(x: Any) -> Any:
    """Return the running sum along the innermost axis: item ``i`` becomes the sum of the items 0 to ``i`` of its row.

    Parameters
    ----------
    x
        Ragged or flat array of numbers.

    Raises
    ------
    TypeError
        When the items are records.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_list(rg.cumsum(rg.from_lists([[1.0, 2.0, 3.0], [], [4.0, 5.0]])))
    [[1.0, 3.0, 6.0], [], [4.0, 9.0]]
    """
    return _along_rows(_cumsum, x, "cumsum")


def cumprod(x: Any) -> Any:
    """Return the running product along the innermost axis; derivatives are exact where items are zero.

    Parameters
    ----------
    x
        Ragged or flat array of numbers.

    Raises
    ------
    TypeError
        When the items are records.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_list(rg.cumprod(rg.from_lists([[1.0, 2.0, 3.0], [], [4.0, 5.0]])))
    [[1.0, 2.0, 6.0], [], [4.0, 20.0]]
    """
    return _along_rows(_cumprod, x, "cumprod")


def exclusive_cumprod(x: Any) -> Any:
    """Return for each item the product of the items before it in its row; 1 for the first.

    With ``x = 1 - p``: the probability that nothing before the item passed.

    Parameters
    ----------
    x
        Ragged or flat array of numbers.

    Raises
    ------
    TypeError
        When the items are records.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_list(rg.exclusive_cumprod(rg.from_lists([[2.0, 3.0, 5.0], [], [4.0]])))
    [[1.0, 2.0, 6.0], [], [1.0]]
    """
    return _along_rows(_exclusive_cumprod, x, "exclusive_cumprod")


def exclusive_prod(x: Any) -> Any:
    """Return for each item the product of the *other* items of its row; derivatives are exact where items are zero.

    Parameters
    ----------
    x
        Ragged or flat array of numbers.

    Raises
    ------
    TypeError
        When the items are records.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_list(rg.exclusive_prod(rg.from_lists([[2.0, 3.0, 5.0], [0.0, 4.0], [7.0]])))
    [[15.0, 10.0, 6.0], [4.0, 0.0], [1.0]]
    """
    return _along_rows(_exclusive_prod, x, "exclusive_prod")


def top_k(x: Any, k: int, *, fill_value: float) -> Any:
    """Return the ``k`` largest items of each row in descending order, padded to a regular array.

    Parameters
    ----------
    x
        Ragged array of numbers; NaN comes first, as in `sort`.
    k
        How many (static).
    fill_value
        What stands where a row has fewer items.

    Returns
    -------
    FlatArray
        Shape (rows, k).

    Raises
    ------
    TypeError
        When the items are records or the array is not ragged.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.top_k(rg.from_lists([[1.0, 3.0, 2.0], [], [4.0]]), 2, fill_value=0)
    Array([[3., 2.],
           [0., 0.],
           [4., 0.]], dtype=float32)
    """
    return on_rows(lambda rows: _top(rows, k, fill_value), x, "top_k")


def argtop_k(x: Any, k: int) -> Any:
    """Return the positions of the ``k`` largest items of each row in descending order; -1 where a row has fewer.

    Parameters
    ----------
    x
        Ragged array of numbers; NaN comes first, as in `argsort`.
    k
        How many (static).

    Returns
    -------
    FlatArray
        int32, shape (rows, k).

    Raises
    ------
    TypeError
        When the items are records or the array is not ragged.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.argtop_k(rg.from_lists([[1.0, 3.0, 2.0], [], [4.0]]), 2)
    Array([[ 1,  2],
           [-1, -1],
           [ 0, -1]], dtype=int32)
    """
    return on_rows(lambda rows: _first(argsort(rows, ascending=False), k)[0], x, "argtop_k")


def nearest(
    x: RaggedArray, y: RaggedArray, metric: Callable[[Any, Any], jax.Array], *, capacity: int | None = None
) -> RaggedArray:
    """Return for every item of ``x`` the position of the closest item in the same row of ``y``; -1 where there is none.

    Parameters
    ----------
    x, y
        Ragged arrays of numbers or records with the same number of rows.
    metric
        Function of an array of items of ``x`` and one of items of ``y``, pair by pair, that returns the distances.
    capacity
        Room for this many pairs. By default exactly as many as there are; inside ``jit`` the most that the arrays'
        ``max_length`` and capacities allow.

    Returns
    -------
    RaggedArray
        int32, with the rows of ``x``. Use it as an index into ``y``.

    Raises
    ------
    StructureError
        When the numbers of rows differ, or the metric does not return one number for each pair.
    CapacityError
        When the pairs do not fit.
    TypeError
        For arrays that are not ragged; inside ``jit`` without ``capacity``, when no array has ``max_length``.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 5.0], [2.0], [3.0]])
    >>> y = rg.from_lists([[4.0, 0.5, 9.0], [], [7.0]])
    >>> rg.to_list(rg.nearest(x, y, lambda a, b: abs(a - b)))
    [[1, 0], [-1], [0]]
    """
    for name, array in (("x", x), ("y", y)):
        if not isinstance(array, RaggedArray):
            raise TypeError(f"nearest: {name} must be a ragged array, not {type(array).__name__}")
    x, y = settle(x), settle(y)
    rows, offsets = common_rows([rows_of(x), rows_of(y)], operation="nearest", offsets=x.offsets)
    x, y = cut(dataclasses.replace(x, offsets=offsets), rows), cut(y, rows)
    pairs = row_pairs(x, y, capacity=capacity, operation="nearest")
    distance = content_of(
        metric(
            take(x.content, pairs.row_ids, valid=pairs.valid, operation="nearest"),
            take(y.content, pairs.content, valid=pairs.valid, operation="nearest"),
        )
    )
    if jnp.shape(distance) != (pairs.capacity,):
        raise StructureError(
            f"nearest: the metric must return one number for each of the {pairs.capacity} pairs, "
            f"but returned an array of shape {jnp.shape(distance)}"
        )
    closest = argmin(pairs.with_content(distance), axis=-1).astype(jnp.int32)
    return dataclasses.replace(x.with_content(closest), length=rows.length)


def _along_rows(kernel: Callable[[Groups, jax.Array], jax.Array], x: Any, operation: str) -> Any:
    groups, values, _ = by_axis(x, -1, keepdims=False, operation=operation)
    if values.ndim > 1 or not isinstance(groups, Groups):
        raise StructureError(f"{operation}: items with a regular dimension are not supported")
    return with_numbers(x, narrowed(kernel(groups, widened(values)), values.dtype))


@jax.jit
def _cumsum(groups: Groups, values: jax.Array) -> jax.Array:
    values = groups.clean(values.astype(sum_dtype(values.dtype)))
    return scan_by_id(jnp.add, values, groups.ids, groups.num, identity=0, longest=groups.longest)


@jax.jit
def _cumprod(groups: Groups, values: jax.Array) -> jax.Array:
    values = groups.clean(values.astype(sum_dtype(values.dtype)), 1)
    return scan_by_id(jnp.multiply, values, groups.ids, groups.num, identity=1, longest=groups.longest)


@jax.jit
def _exclusive_cumprod(groups: Groups, values: jax.Array) -> jax.Array:
    return shift_by_id(_cumprod(groups, values), groups.ids, groups.num, identity=1)


@jax.jit
def _exclusive_prod(groups: Groups, values: jax.Array) -> jax.Array:
    values = values.astype(sum_dtype(values.dtype))
    product = prod_in_order(values, groups.ids, groups.num, groups.longest)
    return exclusive_by_id(values, product, groups.ids, groups.num, groups.longest)


def on_rows(function: Callable[[RaggedArray], Any], x: Any, operation: str) -> Any:
    """Apply a function of the innermost rows.

    Raises `TypeError` when the items are records or the array is not ragged.
    """
    x = settle(x)
    if not isinstance(x, RaggedArray):
        raise TypeError(f"{operation}: needs a ragged array, not {type(x).__name__}")
    if isinstance(x.content, RaggedArray):
        return x.with_content(on_rows(function, x.content, operation))
    if not isinstance(x.content, jax.Array):
        raise TypeError(f"{operation}: works on numbers, not on records; pick one of the fields {x.fields}")
    return with_length(function(x), x.length)


def _first(rows: RaggedArray, k: int) -> tuple[jax.Array, jax.Array]:
    """Return the first ``k`` positions of each row, -1 where there are fewer, and where they lie in the buffer."""
    return _first_of(rows.offsets, rows.content, k=k)


@partial(jax.jit, static_argnames=("k",))
def _first_of(offsets: jax.Array, positions: jax.Array, *, k: int) -> tuple[jax.Array, jax.Array]:
    starts = offsets[:-1, None]
    place = jnp.arange(k, dtype=jnp.int32)
    there = place < (offsets[1:, None] - starts)
    local = positions.at[jnp.where(there, starts + place, positions.shape[0])].get(mode="fill", fill_value=-1)
    return local, jnp.where(there, starts + local, positions.shape[0])


def _top(rows: RaggedArray, k: int, fill_value: float) -> jax.Array:
    items = _first(argsort(rows, ascending=False), k)[1]
    content = jnp.asarray(rows.content)
    dtype = holding(content.dtype, fill_value, operation="top_k")
    return spread(content.astype(dtype), items, fill=fill_value, ordered=False)
