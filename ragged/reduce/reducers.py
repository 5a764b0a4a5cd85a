"""Reducers with Awkward's names and arguments: `sum`, `prod`, `min`, `max`, `any`, `all`, `count` and so on.

What holds for all of them:

- ``axis=None`` reduces everything to a number, which is a `jax.Array` as JAX's own functions return it: `jax.grad`,
  `jax.lax.cond` and optax take nothing else. Inside ``jit`` NumPy's functions cannot have it; write
  ``rg.sqrt(rg.sum(x))`` (or ``jnp.sqrt``, or ``rg.sum(x) ** 0.5``), while ``np.sqrt`` is for arrays with rows.
- 0 is the outermost axis, -1 the innermost.
- Reducing nothing gives the identity, as Awkward's ``mask_identity=False``: 0 for a sum, 1 for a product, -inf or inf
  (or the smallest or largest integer) for the maximum or minimum, -1 for `argmax` and `argmin`.
- ``keepdims=True`` leaves an axis of length 1, which broadcasts against the array that was reduced.
- Along an axis that is not the innermost, items at the same position are brought together, as in Awkward. For
  ``axis=0`` the length of the result depends on the data; inside ``jit`` it is the static bound (``max_length`` or the
  capacity) with identities at the end, unless ``keepdims=True`` keeps the length in the offsets.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ..functions.applying import apply
from ..functions.promotion import holding
from .axis import by_axis
from .groups import Groups, Whole
from .segments import column
from .sums import narrowed, sum_dtype, widened

Formula = Callable[..., jax.Array]


def reduce_with(
    formula: Formula,
    x: Any,
    axis: int | None,
    *,
    keepdims: bool,
    operation: str,
    weight: Any = None,
    index: bool = False,
    arguments: tuple[Any, ...] = (),
    **options: Any,
) -> Any:
    """Apply a reduction formula along an axis, in one compiled kernel.

    The formula, a function at the level of a module, takes ``(groups, values, weight, *arguments, **options)`` and
    returns one result per group. The weight is broadcast against ``x``, ``arguments`` may be traced, ``options`` are
    static; the rest is as for `by_axis`.
    """
    if weight is not None:
        x, weight = apply(_pair, x, weight, operation=operation)
        weight = by_axis(weight, axis, keepdims=keepdims, operation=operation)[1]
    groups, values, rebuild = by_axis(x, axis, keepdims=keepdims, operation=operation, index=index)
    return rebuild(_run(groups, values, weight, arguments, formula=formula, options=tuple(sorted(options.items()))))


def _pair(x: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
    first, second = jnp.broadcast_arrays(x, weight)
    return first, second


@partial(jax.jit, static_argnames=("formula", "options"))
def _run(
    groups: Groups | Whole, values: jax.Array, weight: Any, arguments: Any, *, formula: Formula, options: Any
) -> jax.Array:
    # 16-bit numbers are reduced as float32: their sums, counts and squares soon leave what 16 bits can hold
    as_items = weight is None or not jnp.issubdtype(weight.dtype, jnp.inexact) or weight.dtype == values.dtype
    half = values.dtype if as_items else jnp.float32
    results = formula(groups, widened(values), None if weight is None else widened(weight), *arguments, **dict(options))
    return jax.tree.map(lambda result: narrowed(result, half), results)


def refuse_missing(mask_identity: bool, operation: str, *, instead: str) -> None:
    """Refuse Awkward's way to mark empty lists; ``instead`` says what to do."""
    if mask_identity:
        raise TypeError(f"{operation}: mask_identity=True gives missing values, which do not exist here; {instead}")


def sum(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Add up the items along an axis; 0 where there is none.

    float32 sums are accurate to 1e-5 for 1e7 items; booleans and integers are summed as JAX's default integer.

    Parameters
    ----------
    array
        Ragged or flat array of numbers.
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
    >>> x = rg.from_lists([[1.0, 2.0], [], [3.0]])
    >>> rg.sum(x, axis=1)
    Array([3., 0., 3.], dtype=float32)
    >>> rg.sum(x, axis=0)
    Array([4., 2.], dtype=float32)
    >>> rg.sum(x)
    Array(6., dtype=float32)
    """
    refuse_missing(mask_identity, "sum", instead="empty lists give 0")
    return reduce_with(_sum, array, axis, keepdims=keepdims, operation="sum")


def _sum(groups: Groups | Whole, values: jax.Array, weight: None) -> jax.Array:
    return groups.sum(values)


def prod(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Multiply the items along an axis; 1 where there is none. Derivatives are exact where items are zero.

    Parameters
    ----------
    array
        Ragged or flat array of numbers.
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
    >>> rg.prod(rg.from_lists([[2.0, 3.0], [], [0.0]]), axis=1)
    Array([6., 1., 0.], dtype=float32)
    """
    refuse_missing(mask_identity, "prod", instead="empty lists give 1")
    return reduce_with(_prod, array, axis, keepdims=keepdims, operation="prod")


def _prod(groups: Groups | Whole, values: jax.Array, weight: None) -> jax.Array:
    return groups.prod(values)


def max(
    array: Any,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    initial: float | None = None,
    mask_identity: bool = False,
) -> Any:
    """Return the largest item along an axis; ``initial``, or -inf (or the smallest integer), where there is none.

    As in Awkward, NaN is passed over along an axis and wins without one. Ties share the derivative equally.

    Parameters
    ----------
    array
        Ragged or flat array of numbers.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    initial
        The smallest result there can be.
    mask_identity
        For compatibility; only False, as there are no missing values.

    Raises
    ------
    TypeError
        When the items are records or complex numbers.
    ValueError
        When the array has no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0], [], [3.0]])
    >>> rg.max(x, axis=1)
    Array([  2., -inf,   3.], dtype=float32)
    >>> rg.max(x, axis=1, initial=0)
    Array([2., 0., 3.], dtype=float32)
    """
    refuse_missing(mask_identity, "max", instead="use initial=... for empty lists")
    return reduce_with(_extreme, array, axis, keepdims=keepdims, operation="max", largest=True, initial=initial)


def min(
    array: Any,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    initial: float | None = None,
    mask_identity: bool = False,
) -> Any:
    """Return the smallest item along an axis; ``initial``, or inf (or the largest integer), where there is none.

    As in Awkward, NaN is passed over along an axis and wins without one. Ties share the derivative equally.

    Parameters
    ----------
    array
        Ragged or flat array of numbers.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    initial
        The largest result there can be.
    mask_identity
        For compatibility; only False, as there are no missing values.

    Raises
    ------
    TypeError
        When the items are records or complex numbers.
    ValueError
        When the array has no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.min(rg.from_lists([[1.0, 2.0], [], [3.0]]), axis=1)
    Array([ 1., inf,  3.], dtype=float32)
    """
    refuse_missing(mask_identity, "min", instead="use initial=... for empty lists")
    return reduce_with(_extreme, array, axis, keepdims=keepdims, operation="min", largest=False, initial=initial)


def _extreme(
    groups: Groups | Whole, values: jax.Array, weight: None, *, largest: bool, initial: float | None
) -> jax.Array:
    result = groups.extreme(values, largest=largest)
    if initial is None:
        return result
    dtype = holding(result.dtype, initial, operation="max" if largest else "min")
    bound = jnp.asarray(initial, dtype)
    bounded = (jnp.maximum if largest else jnp.minimum)(result.astype(dtype), bound)
    if dtype == result.dtype:
        return bounded
    # the identity of the items' own type may lie within the bound
    present = groups.count() > 0
    return jnp.where(present if isinstance(groups, Whole) else column(present, result), bounded, bound)


def ptp(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Return the difference of the largest and the smallest item along an axis; 0 where there is none.

    Parameters
    ----------
    array
        Ragged or flat array of numbers.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    mask_identity
        For compatibility; only False, as there are no missing values.

    Raises
    ------
    TypeError
        When the items are records, booleans or complex numbers.
    ValueError
        When the array has no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.ptp(rg.from_lists([[1.0, 4.0, 2.0], [], [3.0]]), axis=1)
    Array([3., 0., 0.], dtype=float32)
    """
    refuse_missing(mask_identity, "ptp", instead="empty lists give 0")
    return reduce_with(_ptp, array, axis, keepdims=keepdims, operation="ptp")


def _ptp(groups: Groups | Whole, values: jax.Array, weight: None) -> jax.Array:
    if values.dtype == jnp.bool_:
        raise TypeError("ptp: booleans have no difference; convert them to integers")
    values = values.astype(sum_dtype(values.dtype))
    spread = groups.extreme(values, largest=True) - groups.extreme(values, largest=False)
    return jnp.where(column(groups.count() > 0, spread), spread, 0)


def any(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Return whether any item along an axis is not zero; False where there is none.

    Parameters
    ----------
    array
        Ragged or flat array of numbers.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    mask_identity
        For compatibility; only False, as there are no missing values.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.any(rg.from_lists([[0.0, -2.0], [], [0.0]]), axis=1)
    Array([ True, False, False], dtype=bool)
    """
    refuse_missing(mask_identity, "any", instead="empty lists give False")
    return reduce_with(_truth, array, axis, keepdims=keepdims, operation="any", any_of=True)


def all(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Return whether no item along an axis is zero; True where there is none.

    Parameters
    ----------
    array
        Ragged or flat array of numbers.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    mask_identity
        For compatibility; only False, as there are no missing values.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.all(rg.from_lists([[0.0, -2.0], [], [-1.0]]), axis=1)
    Array([False,  True,  True], dtype=bool)
    """
    refuse_missing(mask_identity, "all", instead="empty lists give True")
    return reduce_with(_truth, array, axis, keepdims=keepdims, operation="all", any_of=False)


def _truth(groups: Groups | Whole, values: jax.Array, weight: None, *, any_of: bool) -> jax.Array:
    return groups.extreme(values != 0, largest=any_of)


def count(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Return the number of items along an axis.

    Parameters
    ----------
    array
        Ragged or flat array of numbers.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    mask_identity
        For compatibility; only False, as there are no missing values.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.count(rg.from_lists([[1.0, 2.0], [], [3.0]]), axis=1)
    Array([2, 0, 1], dtype=int32)
    """
    refuse_missing(mask_identity, "count", instead="empty lists give 0")
    return reduce_with(_count, array, axis, keepdims=keepdims, operation="count")


def _count(groups: Groups | Whole, values: jax.Array, weight: None) -> jax.Array:
    counts = groups.count().astype(sum_dtype(jnp.int32))
    if isinstance(groups, Whole):
        return counts
    return jnp.broadcast_to(column(counts, values), (groups.num, *values.shape[1:]))


def count_nonzero(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Return the number of items along an axis that are not zero.

    Parameters
    ----------
    array
        Ragged or flat array of numbers.
    axis
        The axis to reduce; None for all.
    keepdims
        Leave an axis of length 1.
    mask_identity
        For compatibility; only False, as there are no missing values.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.count_nonzero(rg.from_lists([[1.0, 0.0], [], [3.0]]), axis=1)
    Array([1, 0, 1], dtype=int32)
    """
    refuse_missing(mask_identity, "count_nonzero", instead="empty lists give 0")
    return reduce_with(_count_nonzero, array, axis, keepdims=keepdims, operation="count_nonzero")


def _count_nonzero(groups: Groups | Whole, values: jax.Array, weight: None) -> jax.Array:
    return groups.sum(values != 0)
