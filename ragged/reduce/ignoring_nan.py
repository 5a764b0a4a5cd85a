"""Reducers that pass over NaN: `nansum`, `nanmean`, `nanmax` and so on.

An axis without any other item gives what the plain reducer gives for an empty one. NaN items get the derivative 0.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..functions.applying import apply
from .moments import mean, std, var
from .positions import arg_without_nan
from .reducers import max as _max
from .reducers import min as _min
from .reducers import prod, refuse_missing, sum


def _without_nan(x: Any, fill: float) -> Any:
    def replaced(items: Any) -> jax.Array:
        items = jnp.asarray(items)
        return jnp.where(jnp.isnan(items), jnp.asarray(fill, items.dtype), items) if _may_be_nan(items) else items

    return apply(replaced, x, operation="isnan")


def _may_be_nan(items: jax.Array) -> bool:
    return bool(jnp.issubdtype(items.dtype, jnp.inexact))


def _weighted(x: Any, weight: Any) -> tuple[Any, Any]:
    """Return the items with 0 for NaN, and weights that are 0 there (and where the weight itself is NaN)."""

    def split(items: Any, weights: Any) -> tuple[jax.Array, jax.Array]:
        items, weights = jnp.broadcast_arrays(items, weights)
        used = ~(jnp.isnan(items) | jnp.isnan(weights))
        items = items if _may_be_nan(items) else items.astype(jnp.result_type(float))
        flags = weights if _may_be_nan(weights) else weights.astype(items.real.dtype)
        return jnp.where(used, items, jnp.zeros_like(items)), jnp.where(used, flags, jnp.zeros_like(flags))

    items, weights = apply(split, x, True if weight is None else weight, operation="weight")
    return items, weights


def nansum(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Add up the items that are not NaN along an axis; 0 where there is none.

    Parameters
    ----------
    array, axis, keepdims, mask_identity
        As for `hepgrad.ragged.sum`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.nansum(rg.from_lists([[1.0, float("nan"), 2.0], [], [3.0]]), axis=1)
    Array([3., 0., 3.], dtype=float32)
    """
    refuse_missing(mask_identity, "nansum", instead="empty lists give 0")
    return sum(_without_nan(array, 0), axis, keepdims=keepdims)


def nanprod(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Multiply the items that are not NaN along an axis; 1 where there is none.

    Parameters
    ----------
    array, axis, keepdims, mask_identity
        As for `hepgrad.ragged.prod`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.nanprod(rg.from_lists([[3.0, float("nan"), 2.0], [], [3.0]]), axis=1)
    Array([6., 1., 3.], dtype=float32)
    """
    refuse_missing(mask_identity, "nanprod", instead="empty lists give 1")
    return prod(_without_nan(array, 1), axis, keepdims=keepdims)


def nanmax(
    array: Any,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    initial: float | None = None,
    mask_identity: bool = False,
) -> Any:
    """Return the largest item that is not NaN along an axis; ``initial``, or -inf, where there is none.

    Parameters
    ----------
    array, axis, keepdims, initial, mask_identity
        As for `hepgrad.ragged.max`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.nanmax(rg.from_lists([[1.0, float("nan"), 2.0], []]))
    Array(2., dtype=float32)
    """
    refuse_missing(mask_identity, "nanmax", instead="use initial=... for empty lists")
    return _max(_without_nan(array, -jnp.inf), axis, keepdims=keepdims, initial=initial)


def nanmin(
    array: Any,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    initial: float | None = None,
    mask_identity: bool = False,
) -> Any:
    """Return the smallest item that is not NaN along an axis; ``initial``, or inf, where there is none.

    Parameters
    ----------
    array, axis, keepdims, initial, mask_identity
        As for `hepgrad.ragged.min`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.nanmin(rg.from_lists([[1.0, float("nan"), 2.0], []]))
    Array(1., dtype=float32)
    """
    refuse_missing(mask_identity, "nanmin", instead="use initial=... for empty lists")
    return _min(_without_nan(array, jnp.inf), axis, keepdims=keepdims, initial=initial)


def nanargmax(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Return the position of the largest item that is not NaN along an axis; -1 where there is none.

    Parameters
    ----------
    array, axis, keepdims, mask_identity
        As for `hepgrad.ragged.argmax`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.nanargmax(rg.from_lists([[float("nan"), 1.0, 2.0], []]), axis=1)
    Array([ 2, -1], dtype=int32)
    """
    refuse_missing(mask_identity, "nanargmax", instead="empty lists give -1")
    return arg_without_nan(array, axis, keepdims=keepdims, operation="nanargmax", largest=True)


def nanargmin(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Return the position of the smallest item that is not NaN along an axis; -1 where there is none.

    Parameters
    ----------
    array, axis, keepdims, mask_identity
        As for `hepgrad.ragged.argmin`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.nanargmin(rg.from_lists([[float("nan"), 1.0, 2.0], []]), axis=1)
    Array([ 1, -1], dtype=int32)
    """
    refuse_missing(mask_identity, "nanargmin", instead="empty lists give -1")
    return arg_without_nan(array, axis, keepdims=keepdims, operation="nanargmin", largest=False)


def nanmean(
    x: Any, weight: Any = None, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False
) -> Any:
    """Return the mean of the items that are not NaN along an axis; NaN where there is none.

    Parameters
    ----------
    x, weight, axis, keepdims, mask_identity
        As for `hepgrad.ragged.mean`; an item with a weight of NaN is passed over too.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.nanmean(rg.from_lists([[1.0, float("nan"), 2.0], []]), axis=1)
    Array([1.5, nan], dtype=float32)
    """
    refuse_missing(mask_identity, "nanmean", instead="empty lists give NaN")
    items, weights = _weighted(x, weight)
    return mean(items, weights, axis, keepdims=keepdims)


def nanvar(
    x: Any,
    weight: Any = None,
    ddof: float = 0,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    mask_identity: bool = False,
) -> Any:
    """Return the variance of the items that are not NaN along an axis; NaN where there is none.

    Parameters
    ----------
    x, weight, ddof, axis, keepdims, mask_identity
        As for `hepgrad.ragged.var`; an item with a weight of NaN is passed over too.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.nanvar(rg.from_lists([[1.0, float("nan"), 3.0], []]), axis=1)
    Array([ 1., nan], dtype=float32)
    """
    refuse_missing(mask_identity, "nanvar", instead="empty lists give NaN")
    items, weights = _weighted(x, weight)
    return var(items, weights, ddof, axis, keepdims=keepdims)


def nanstd(
    x: Any,
    weight: Any = None,
    ddof: float = 0,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    mask_identity: bool = False,
) -> Any:
    """Return the standard deviation of the items that are not NaN along an axis; NaN where there is none.

    Parameters
    ----------
    x, weight, ddof, axis, keepdims, mask_identity
        As for `hepgrad.ragged.std`; an item with a weight of NaN is passed over too.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.nanstd(rg.from_lists([[1.0, float("nan"), 3.0], []]), axis=1)
    Array([ 1., nan], dtype=float32)
    """
    refuse_missing(mask_identity, "nanstd", instead="empty lists give NaN")
    items, weights = _weighted(x, weight)
    return std(items, weights, ddof, axis, keepdims=keepdims)
