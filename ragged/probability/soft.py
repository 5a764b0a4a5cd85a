"""Smooth versions of the maximum, the minimum, sorting and ranking along a row.

Each has a ``temperature`` in the units of the items; as it goes to 0 the result becomes that of the hard operation.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ..array import RaggedArray
from ..errors import StructureError
from ..reduce.axis import by_axis, with_numbers
from ..reduce.groups import Groups, Whole, groups_of
from ..reduce.reducers import reduce_with
from ..reduce.segments import column, spread
from ..reduce.sums import as_float, narrowed, widened
from ..structure.pairs import row_pairs
from .rowwise import on_rows


def softmax(x: Any, axis: int | None = -1, *, temperature: Any = 1.0) -> Any:
    """Return exp(x / temperature), normalised to a sum of 1 along an axis.

    Parameters
    ----------
    x
        Ragged or flat array of numbers, of any size: large ones do not overflow.
    axis
        The axis along which the result adds up to 1 (Awkward has only the innermost); None for all.
    temperature
        Number above 0.

    Returns
    -------
    RaggedArray or jax.Array
        Of the structure of ``x``.

    Raises
    ------
    TypeError
        When the items are records.
    ValueError
        When the array has no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_list(rg.softmax(rg.from_lists([[0.0, 0.0], [], [1000.0]])))
    [[0.5, 0.5], [], [1.0]]
    """
    groups, values, _ = by_axis(x, axis, keepdims=False, operation="softmax")
    if values.ndim > 1:
        raise StructureError("softmax: items with a regular dimension are not supported")
    return with_numbers(x, narrowed(_softmax(groups, widened(values), temperature), values.dtype))


def logsumexp(x: Any, axis: int | None = None, *, keepdims: bool = False, temperature: Any = 1.0) -> Any:
    """Return temperature * log(sum(exp(x / temperature))) along an axis, a smooth maximum; -inf where there is nothing.

    Parameters
    ----------
    x
        Ragged or flat array of numbers.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    temperature
        Number above 0.

    Raises
    ------
    TypeError
        When the items are records.
    ValueError
        When the array has no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.logsumexp(rg.from_lists([[0.0, 0.0], [], [3.0]]), axis=1)
    Array([0.6931472,      -inf, 3.       ], dtype=float32)
    """
    return reduce_with(_logsumexp, x, axis, keepdims=keepdims, operation="logsumexp", arguments=(temperature,))


def softmin(x: Any, axis: int | None = -1, *, keepdims: bool = False, temperature: Any = 1.0) -> Any:
    """Return the mean of the items with weights softmax(-x / temperature): a smooth minimum; inf where none is.

    Parameters
    ----------
    x
        Ragged or flat array of numbers.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    temperature
        Number above 0.

    Raises
    ------
    TypeError
        When the items are records.
    ValueError
        When the array has no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.softmin(rg.from_lists([[2.0, 5.0], [], [3.0]]), temperature=0.1)
    Array([ 2., inf,  3.], dtype=float32)
    """
    return reduce_with(_softmin, x, axis, keepdims=keepdims, operation="softmin", arguments=(temperature,))


def soft_argmax(x: Any, axis: int | None = -1, *, keepdims: bool = False, temperature: Any = 1.0) -> Any:
    """Return the mean position with weights softmax(x / temperature), a smooth `argmax`; -1 where there is nothing.

    Parameters
    ----------
    x
        Ragged or flat array of numbers.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    temperature
        Number above 0.

    Raises
    ------
    TypeError
        When the items are records.
    ValueError
        When the array has no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.soft_argmax(rg.from_lists([[1.0, 1.0], [], [0.0, 9.0]]), temperature=0.1)
    Array([ 0.5, -1. ,  1. ], dtype=float32)
    """
    return reduce_with(
        _soft_argmax, x, axis, keepdims=keepdims, operation="soft_argmax", index=True, arguments=(temperature,)
    )


def soft_rank(x: Any, *, temperature: Any = 1.0, ascending: bool = True, capacity: int | None = None) -> Any:
    """Return a smooth version of the position that each item has in its sorted row, from 0.

    The number of items that come before it, sum_j sigmoid((x_i - x_j) / temperature) - 1/2 (for descending order with
    the sign reversed); ties share the mean of their positions. T. Qin, T.-Y. Liu and H. Li, "A general approximation
    framework for direct optimization of information retrieval measures", Inf. Retrieval 13 (2010) 375, eq. 12.

    Parameters
    ----------
    x
        Ragged array of numbers.
    temperature
        Number above 0: differences much larger than this count fully.
    ascending
        Whether position 0 is that of the smallest item, or of the largest.
    capacity
        Room for this many pairs, sum(counts**2); needed inside ``jit`` unless ``x`` has ``max_length``.

    Raises
    ------
    TypeError
        When the items are records, or inside ``jit`` without a size.
    CapacityError
        When the pairs do not fit.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_list(rg.soft_rank(rg.from_lists([[30.0, 10.0, 20.0], [], [5.0, 5.0]]), temperature=0.1))
    [[2.0, 0.0, 1.0], [], [0.5, 0.5]]
    """

    def ranks(rows: RaggedArray) -> RaggedArray:
        pairs = row_pairs(rows, rows, capacity=capacity, operation="soft_rank")
        return rows.with_content(_narrowed_as(rows, _ranks(rows, pairs, temperature, ascending=ascending)))

    return on_rows(ranks, x, "soft_rank")


def soft_sort(x: Any, *, temperature: Any = 1.0, ascending: bool = True, capacity: int | None = None) -> Any:
    """Return a smooth version of the sorted rows, by NeuralSort.

    Item ``i`` (from 0, descending) is the mean of the items with weights
    softmax_j(((n - 1 - 2 i) x_j - sum_k abs(x_j - x_k)) / temperature). A. Grover, E. Wang, A. Zweig and S. Ermon,
    "Stochastic optimization of sorting networks via continuous relaxations", ICLR 2019, arXiv:1903.08850, eq. 5.

    Parameters
    ----------
    x
        Ragged array of numbers.
    temperature
        Number above 0.
    ascending
        The order.
    capacity
        Room for this many pairs, sum(counts**2); needed inside ``jit`` unless ``x`` has ``max_length``.

    Raises
    ------
    TypeError
        When the items are records, or inside ``jit`` without a size.
    CapacityError
        When the pairs do not fit.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_list(rg.soft_sort(rg.from_lists([[30.0, 10.0, 20.0], []]), temperature=0.1))
    [[10.0, 20.0, 30.0], []]
    """

    def sorted_rows(rows: RaggedArray) -> RaggedArray:
        pairs = row_pairs(rows, rows, capacity=capacity, operation="soft_sort")
        return rows.with_content(_narrowed_as(rows, _sorted(rows, pairs, temperature, ascending=ascending)))

    return on_rows(sorted_rows, x, "soft_sort")


def _exponentials(groups: Groups | Whole, scaled: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return exp(scaled - largest) for each item and the largest of each group, as a constant."""
    largest = groups.extreme(jax.lax.stop_gradient(scaled), largest=True)
    largest = jnp.where(jnp.isfinite(largest), largest, 0)
    return groups.clean(jnp.exp(groups.clean(scaled - groups.spread(largest)))), largest


def _weights(groups: Groups | Whole, scaled: jax.Array) -> jax.Array:
    exponentials, _ = _exponentials(groups, scaled)
    return exponentials / groups.clean(groups.spread(groups.sum(exponentials)) + jnp.zeros_like(scaled), 1)


def _scaled(groups: Groups | Whole, values: jax.Array, temperature: Any) -> jax.Array:
    return groups.clean(values) / temperature


@jax.jit
def _softmax(groups: Groups | Whole, values: jax.Array, temperature: Any) -> jax.Array:
    return _weights(groups, _scaled(groups, values, temperature))


def _present(groups: Groups | Whole, result: jax.Array, otherwise: float) -> jax.Array:
    return jnp.where(column(groups.count() > 0, result) if result.ndim else groups.count() > 0, result, otherwise)


def _logsumexp(groups: Groups | Whole, values: jax.Array, weight: None, temperature: Any) -> jax.Array:
    exponentials, largest = _exponentials(groups, _scaled(groups, values, temperature))
    total = groups.sum(exponentials)
    nothing = total == 0
    return temperature * jnp.where(nothing, -jnp.inf, largest + jnp.log(jnp.where(nothing, 1, total)))


def _mean(groups: Groups | Whole, weights: jax.Array, values: jax.Array) -> jax.Array:
    # an infinite item of weight 0 does not count
    return groups.sum(jnp.where(weights == 0, 0, weights * values))


def _softmin(groups: Groups | Whole, values: jax.Array, weight: None, temperature: Any) -> jax.Array:
    weights = _weights(groups, -_scaled(groups, values, temperature))
    return _present(groups, _mean(groups, weights, groups.clean(values)), jnp.inf)


def _soft_argmax(groups: Groups | Whole, values: jax.Array, weight: None, temperature: Any) -> jax.Array:
    weights = _weights(groups, _scaled(groups, values, temperature))
    positions = column(groups.positions()[0], values).astype(weights.dtype)
    return _present(groups, groups.sum(groups.clean(weights * positions)), -1.0)


@partial(jax.jit, static_argnames=("ascending",))
def _ranks(rows: RaggedArray, pairs: RaggedArray, temperature: Any, *, ascending: bool) -> jax.Array:
    groups, first, second = _both(rows, pairs)
    difference = first - second if ascending else second - first
    return groups.sum(groups.clean(jax.nn.sigmoid(difference / temperature))) - 0.5


@partial(jax.jit, static_argnames=("ascending",))
def _sorted(rows: RaggedArray, pairs: RaggedArray, temperature: Any, *, ascending: bool) -> jax.Array:
    groups, first, second = _both(rows, pairs)
    # the sum over k of |x_j - x_k| is needed at the second item of the pairs
    spreads = groups.sum(jnp.abs(first - second))
    place = 2 * rows.positions - spread(rows.row_lengths, rows.row_ids) + 1
    slope = groups.spread((place if ascending else -place).astype(second.dtype))
    logits = slope * second - spread(spreads, jnp.asarray(pairs.content), ordered=False)
    return _mean(groups, _weights(groups, groups.clean(logits) / temperature), second)


def _narrowed_as(rows: RaggedArray, result: jax.Array) -> jax.Array:
    return narrowed(result, jnp.asarray(rows.content).dtype)


def _both(rows: RaggedArray, pairs: RaggedArray) -> tuple[Groups, jax.Array, jax.Array]:
    """Return the pairs as groups by their first item, and the first and the second items as floats."""
    groups = groups_of(pairs)
    # integers as floats, since differences of unsigned ones are never negative
    values = groups_of(rows).clean(as_float(widened(jnp.asarray(rows.content))))
    return groups, groups.spread(values), groups.clean(spread(values, jnp.asarray(pairs.content), ordered=False))
