"""How two arrays depend on each other along an axis: `covar`, `corr`, `linear_fit`.

Sums are taken of differences from the means, not of the products themselves: in float32 the difference of two large
sums would leave little. Where a ratio has no value (an empty list, items that are all equal) its derivative is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ..functions.applying import apply
from ..functions.broadcast import zip as zip_records
from .axis import by_axis
from .groups import Groups, Whole
from .moments import prepared, ratio
from .reducers import refuse_missing
from .sums import as_float, narrowed, widened

Moments = tuple[jax.Array, ...]


def covar(
    x: Any,
    y: Any,
    weight: Any = None,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    mask_identity: bool = False,
) -> Any:
    """Return the covariance along an axis, sum(w (x - mean x) (y - mean y)) / sum(w); NaN where there is nothing.

    Parameters
    ----------
    x, y
        Ragged or flat arrays of numbers that broadcast with each other.
    weight
        Weights, broadcast against them.
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
        When the arrays have no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 3.0], [], [2.0, 4.0]])
    >>> rg.covar(x, -x, axis=1)
    Array([-1., nan, -1.], dtype=float32)
    """
    refuse_missing(mask_identity, "covar", instead="empty lists give NaN")
    (result,) = _reduced(_covar, (x, y), weight, axis, keepdims, "covar")
    return result


def corr(
    x: Any,
    y: Any,
    weight: Any = None,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    mask_identity: bool = False,
) -> Any:
    """Return Pearson's correlation along an axis, covar(x, y) / sqrt(var(x) var(y)); NaN where a variance is 0.

    Parameters
    ----------
    x, y, weight, axis, keepdims, mask_identity
        As for `covar`.

    Raises
    ------
    TypeError, ValueError
        As for `covar`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 3.0], [], [2.0, 4.0]])
    >>> rg.corr(x, -x, axis=1)
    Array([-1., nan, -1.], dtype=float32)
    """
    refuse_missing(mask_identity, "corr", instead="empty lists give NaN")
    (result,) = _reduced(_corr, (x, y), weight, axis, keepdims, "corr")
    return result


def linear_fit(
    x: Any,
    y: Any,
    weight: Any = None,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    mask_identity: bool = False,
) -> Any:
    """Fit a straight line along an axis: the intercept and slope that minimise sum(w (y - intercept - slope x)**2).

    The errors are those for ``y`` with an uncertainty of ``1 / sqrt(w)``: sqrt(1 / Sxx) for the slope and
    sqrt(1 / sum(w) + mean(x)**2 / Sxx) for the intercept, with Sxx = sum(w (x - mean x)**2).

    Parameters
    ----------
    x, y, weight, axis, keepdims, mask_identity
        As for `covar`.

    Returns
    -------
    RecordArray or RaggedArray
        Records with the fields ``intercept``, ``slope``, ``intercept_error`` and ``slope_error``.

    Raises
    ------
    TypeError, ValueError
        As for `covar`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 3.0], [0.0, 4.0]])
    >>> rg.linear_fit(x, 2.0 * x + 1.0, axis=1).slope
    Array([2., 2.], dtype=float32)
    """
    refuse_missing(mask_identity, "linear_fit", instead="empty lists give NaN")
    results = _reduced(_linear_fit, (x, y), weight, axis, keepdims, "linear_fit")
    names = ("intercept", "slope", "intercept_error", "slope_error")
    return zip_records(dict(zip(names, results, strict=True)))


def _reduced(
    formula: Callable[..., Moments], arrays: tuple[Any, Any], weight: Any, axis: int | None, keepdims: bool, name: str
) -> tuple[Any, ...]:
    """Apply a formula of (groups, x, y, weight) that returns several results for each group."""
    given = arrays if weight is None else (*arrays, weight)
    together = apply(_brought_together, *given, operation=name)
    parts = [by_axis(each, axis, keepdims=keepdims, operation=name) for each in together]
    groups, _, rebuild = parts[0]
    results = _run(groups, tuple(values for _, values, _ in parts), formula=formula)
    return tuple(rebuild(result) for result in results)


def _brought_together(*items: Any) -> tuple[jax.Array, ...]:
    return tuple(jnp.broadcast_arrays(*(as_float(jnp.asarray(each)) for each in items)))


@partial(jax.jit, static_argnames=("formula",))
def _run(groups: Groups | Whole, arrays: Moments, *, formula: Callable[..., Moments]) -> Moments:
    dtype = jnp.result_type(*arrays)
    x, y, *weights = (widened(each.astype(dtype)) for each in arrays)
    results = formula(groups, groups.clean(x), groups.clean(y), weights[0] if weights else None)
    return tuple(narrowed(result, dtype) for result in results)


def _sums(groups: Groups | Whole, x: jax.Array, y: jax.Array, weight: Any) -> Moments:
    """Return the sum of weights, the means of x and y, and the weighted sums of squares xx, yy and xy around them."""
    weight, total = prepared(groups, x, weight)
    mean_x, mean_y = (ratio(groups.sum(weight * each), total) for each in (x, y))
    safe_x, safe_y = (jnp.where(total == 0, 0, mean) for mean in (mean_x, mean_y))
    off_x = groups.clean(x - groups.spread(safe_x))
    off_y = groups.clean(y - groups.spread(safe_y))
    squares = (groups.sum(weight * a * b) for a, b in ((off_x, off_x), (off_y, off_y), (off_x, off_y)))
    return total, mean_x, mean_y, *squares


def _covar(groups: Groups | Whole, x: jax.Array, y: jax.Array, weight: Any) -> Moments:
    total, _, _, _, _, xy = _sums(groups, x, y, weight)
    return (ratio(xy, total),)


def _corr(groups: Groups | Whole, x: jax.Array, y: jax.Array, weight: Any) -> Moments:
    _, _, _, xx, yy, xy = _sums(groups, x, y, weight)
    return (ratio(xy, _root(xx * yy)),)


def _linear_fit(groups: Groups | Whole, x: jax.Array, y: jax.Array, weight: Any) -> Moments:
    total, mean_x, mean_y, xx, _, xy = _sums(groups, x, y, weight)
    nothing = total == 0
    slope = ratio(xy, xx)
    intercept = mean_y - slope * mean_x
    inverse = jnp.where(nothing, jnp.nan, ratio(jnp.ones_like(xx), xx))
    # 0 * inf for items that all are 0: no line through them is better than another
    intercept_error = _root(ratio(jnp.ones_like(total), total) + mean_x**2 * inverse)
    return intercept, slope, intercept_error, _root(inverse)


def _root(square: jax.Array) -> jax.Array:
    """Return the square root, with derivative 0 where it is 0, infinite or NaN."""
    regular = (square > 0) & jnp.isfinite(square)
    constant = jnp.sqrt(jax.lax.stop_gradient(square))
    return jnp.where(regular, jnp.sqrt(jnp.where(regular, square, 1)), constant)
