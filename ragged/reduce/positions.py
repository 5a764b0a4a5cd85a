"""Where the largest and the smallest items are: `argmax` and `argmin`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .groups import Groups, Whole
from .reducers import reduce_with, refuse_missing
from .segments import column, identity, settled
from .sums import sum_dtype


def argmax(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Return the position of the largest item along an axis (the first of several); -1 where there is none.

    As in Awkward, NaN is passed over unless it comes first.

    Parameters
    ----------
    array
        Ragged or flat array of numbers.
    axis
        The axis to reduce; None for all, which gives a position in the flattened array.
    keepdims
        Leave an axis of length 1.
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
    >>> rg.argmax(rg.from_lists([[1.0, 4.0, 2.0], [], [3.0]]), axis=1)
    Array([ 1, -1,  0], dtype=int32)
    """
    refuse_missing(mask_identity, "argmax", instead="empty lists give -1")
    return reduce_with(_arg, array, axis, keepdims=keepdims, operation="argmax", index=True, largest=True)


def argmin(array: Any, axis: int | None = None, *, keepdims: bool = False, mask_identity: bool = False) -> Any:
    """Return the position of the smallest item along an axis (the first of several); -1 where there is none.

    As in Awkward, NaN is passed over unless it comes first.

    Parameters
    ----------
    array
        Ragged or flat array of numbers.
    axis
        The axis to reduce; None for all, which gives a position in the flattened array.
    keepdims
        Leave an axis of length 1.
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
    >>> rg.argmin(rg.from_lists([[1.0, 4.0, 2.0], [], [3.0]]), axis=1)
    Array([ 0, -1,  0], dtype=int32)
    """
    refuse_missing(mask_identity, "argmin", instead="empty lists give -1")
    return reduce_with(_arg, array, axis, keepdims=keepdims, operation="argmin", index=True, largest=False)


def arg_without_nan(array: Any, axis: int | None, *, keepdims: bool, operation: str, largest: bool) -> Any:
    """Return the position of the largest or smallest item that is not NaN; -1 where there is none."""
    return reduce_with(
        _arg, array, axis, keepdims=keepdims, operation=operation, index=True, largest=largest, nan_first=False
    )


def _arg(
    groups: Groups | Whole, values: jax.Array, weight: None, *, largest: bool, nan_first: bool = True
) -> jax.Array:
    values = settled(jax.lax.stop_gradient(values))
    position, first = groups.positions()
    is_nan = jnp.isnan(values)
    best = groups.extreme(jnp.where(is_nan, identity(values.dtype, largest=largest), values), largest=largest)
    is_extreme = values == groups.spread(best)
    if nan_first:
        is_extreme |= is_nan & column(position == first, values)
    nowhere = np.iinfo(np.int32).max
    where = groups.extreme(
        groups.clean(jnp.where(is_extreme, column(position, values), nowhere), nowhere), largest=False
    )
    return jnp.where(where == nowhere, -1, where).astype(sum_dtype(jnp.int32))
