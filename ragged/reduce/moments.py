"""Moments along an axis, weighted or not: `mean`, `var`, `std`, `moment`.

Reducing nothing gives NaN, as in Awkward, but the derivative there is 0.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .groups import Groups, Whole
from .reducers import reduce_with, refuse_missing
from .segments import column
from .sums import as_float


def mean(
    x: Any, weight: Any = None, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False
) -> Any:
    """Return the mean along an axis, sum(w x) / sum(w); NaN (with derivative 0) where the weights add up to 0.

    Parameters
    ----------
    x
        Ragged or flat array of numbers; integers are averaged as floating-point numbers.
    weight
        Weights, broadcast against ``x``.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    mask_identity
        For compatibility; only False, as there are no missing values.

    Raises
    ------
    TypeError
        When the items are records.
    ValueError
        When the array has no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.mean(rg.from_lists([[1.0, 2.0], [], [3.0]]), axis=1)
    Array([1.5, nan, 3. ], dtype=float32)
    """
    refuse_missing(mask_identity, "mean", instead="empty lists give NaN")
    return reduce_with(_moment, x, axis, keepdims=keepdims, operation="mean", weight=weight, order=1)


def moment(
    x: Any, n: int, weight: Any = None, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False
) -> Any:
    """Return the n-th moment about zero along an axis, sum(w x**n) / sum(w).

    Parameters
    ----------
    x
        Ragged or flat array of numbers.
    n
        The order.
    weight
        Weights, broadcast against ``x``.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    mask_identity
        For compatibility; only False, as there are no missing values.

    Raises
    ------
    TypeError
        When the items are records.
    ValueError
        When the array has no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.moment(rg.from_lists([[1.0, 2.0], [], [3.0]]), 2, axis=1)
    Array([2.5, nan, 9. ], dtype=float32)
    """
    refuse_missing(mask_identity, "moment", instead="empty lists give NaN")
    return reduce_with(_moment, x, axis, keepdims=keepdims, operation="moment", weight=weight, order=n)


def var(
    x: Any,
    weight: Any = None,
    ddof: float = 0,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    mask_identity: bool = False,
) -> Any:
    """Return the variance along an axis, sum(w (x - mean)**2) / (sum(w) - ddof).

    Parameters
    ----------
    x
        Ragged or flat array of numbers.
    weight
        Weights, broadcast against ``x``.
    ddof
        Degrees of freedom to subtract: 1 for the unbiased estimate.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    mask_identity
        For compatibility; only False, as there are no missing values.

    Raises
    ------
    TypeError
        When the items are records.
    ValueError
        When the array has no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.var(rg.from_lists([[1.0, 2.0], [], [3.0]]), axis=1)
    Array([0.25,  nan, 0.  ], dtype=float32)
    """
    refuse_missing(mask_identity, "var", instead="empty lists give NaN")
    return reduce_with(_var, x, axis, keepdims=keepdims, operation="var", weight=weight, ddof=ddof)


def std(
    x: Any,
    weight: Any = None,
    ddof: float = 0,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    mask_identity: bool = False,
) -> Any:
    """Return the standard deviation along an axis, the square root of `var`; its derivative is 0 where it is 0.

    Parameters
    ----------
    x
        Ragged or flat array of numbers.
    weight
        Weights, broadcast against ``x``.
    ddof
        Degrees of freedom to subtract: 1 for the unbiased estimate.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    mask_identity
        For compatibility; only False, as there are no missing values.

    Raises
    ------
    TypeError
        When the items are records.
    ValueError
        When the array has no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.std(rg.from_lists([[1.0, 2.0], [], [3.0]]), axis=1)
    Array([0.5, nan, 0. ], dtype=float32)
    """
    refuse_missing(mask_identity, "std", instead="empty lists give NaN")
    return reduce_with(_std, x, axis, keepdims=keepdims, operation="std", weight=weight, ddof=ddof)


def prepared(groups: Groups | Whole, values: jax.Array, weight: jax.Array | None) -> tuple[Any, jax.Array]:
    """Return the weights and their sums (counts without weights), with the unused end of the buffer set to 0."""
    if weight is not None:
        weight = groups.clean(weight)
        return weight, groups.sum(weight)
    counts = groups.count().astype(as_float(values).real.dtype)
    return 1, counts if isinstance(groups, Whole) else column(counts, values)


def ratio(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    """Return a quotient whose derivative is 0, not NaN, where the denominator is 0."""
    nothing = denominator == 0
    constant = jax.lax.stop_gradient(numerator) / jax.lax.stop_gradient(denominator)
    return jnp.where(nothing, constant, numerator / jnp.where(nothing, 1, denominator))


def _moment(groups: Groups | Whole, values: jax.Array, weight: jax.Array | None, *, order: int) -> jax.Array:
    values = groups.clean(as_float(values))
    weight, total = prepared(groups, values, weight)
    return ratio(groups.sum(weight * values**order), total)


def _var(groups: Groups | Whole, values: jax.Array, weight: jax.Array | None, *, ddof: float) -> jax.Array:
    values = groups.clean(as_float(values))
    weight, total = prepared(groups, values, weight)
    centre = groups.sum(weight * values) / jnp.where(total == 0, 1, total)
    difference = groups.clean(values - groups.spread(centre))
    square = difference**2 if jnp.isrealobj(values) else jnp.real(difference * jnp.conj(difference))
    return jnp.where(total == 0, jnp.nan, ratio(groups.sum(weight * square), total - ddof))


def _std(groups: Groups | Whole, values: jax.Array, weight: jax.Array | None, *, ddof: float) -> jax.Array:
    variance = _var(groups, values, weight, ddof=ddof)
    positive = variance > 0
    constant = jnp.sqrt(jax.lax.stop_gradient(variance))
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1)), constant)
