"""The type of an array that has to hold one more value: what stands for missing items, or bounds a maximum."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def holding(dtype: Any, value: Any, *, operation: str) -> Any:
    """Return the type that holds items of a type as well as a value.

    As in Awkward, a value is never cut to the type of the items: integers become floating-point numbers where the value
    is one, booleans integers, and small or unsigned integers JAX's default integer where the value does not fit. A
    Python number that fits leaves the type as it is. The value may be traced. Raises `OverflowError` when no integer
    type that JAX has now holds both.

    Examples
    --------
    >>> from hepgrad.ragged.functions.promotion import holding
    >>> holding("int32", 0.5, operation="pad")
    dtype('float32')
    """
    dtype = jnp.dtype(dtype)
    number = _known_number(value)
    with jax.numpy_dtype_promotion("standard"):
        common = jnp.result_type(dtype, value)
        if number is None or jnp.issubdtype(dtype, jnp.bool_):
            return common
        if jnp.issubdtype(common, jnp.integer):
            return common if _fits(number, common) else _wider_integer(dtype, number, operation)
        if jnp.issubdtype(common, jnp.floating) and _overflows(number, common):
            return jnp.result_type(common, jnp.float32)
        return common


def _known_number(value: Any) -> Any:
    """Return a Python or NumPy number as it is; None for arrays and anything complex."""
    return value if isinstance(value, bool | int | float | np.integer | np.floating) else None


def _overflows(number: Any, dtype: Any) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.isfinite(number) and not np.isfinite(np.asarray(number, np.float64).astype(dtype)))


def _fits(number: Any, dtype: Any) -> bool:
    limits = np.iinfo(dtype)
    return bool(limits.min <= number <= limits.max)


def _wider_integer(dtype: Any, number: Any, operation: str) -> Any:
    wide = jnp.dtype(jax.dtypes.canonicalize_dtype(np.int64))
    items = np.iinfo(dtype)
    if not (_fits(number, wide) and _fits(items.min, wide) and _fits(items.max, wide)):
        raise OverflowError(
            f"{operation}: no integer type holds items of type {dtype} as well as the value {number}; choose a value "
            "that fits, convert with rg.values_astype(array, ...), or enable jax_enable_x64"
        )
    return wide
