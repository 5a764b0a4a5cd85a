"""Elementwise choices and constants: `where`, `zeros_like`, `nan_to_num` and relatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..array import RaggedArray, RecordArray, content_of, with_length
from ..functions.applying import apply
from ..records import fields
from ..rows import length_of


def where(condition: Any, x: Any, y: Any) -> Any:
    """Return items of ``x`` where the condition holds and of ``y`` elsewhere.

    Parameters
    ----------
    condition
        Booleans.
    x, y
        Arrays that broadcast with the condition.

    Notes
    -----
    Both branches are computed. As in JAX, the gradient is safe only if the branch that is not chosen has a finite
    derivative: write ``where(x > 0, sqrt(where(x > 0, x, 1.0)), 0.0)``.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, -2.0], [], [3.0]])
    >>> rg.where(x > 0, x, 0.0)
    <RaggedArray [[1.0, 0.0], [], [3.0]] type='3 * var * float32'>
    """
    return apply(jnp.where, condition, x, y, operation="where")


def isclose(a: Any, b: Any, *, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Return whether items are equal within a tolerance, ``|a - b| <= atol + rtol |b|``.

    Parameters
    ----------
    a, b
        Arrays that broadcast with each other.
    rtol, atol
        The tolerances.
    equal_nan
        Whether NaN equals NaN.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0], [], [3.0]])
    >>> rg.isclose(x, 2.0)
    <RaggedArray [[False, True], [], [False]] type='3 * var * bool'>
    """

    def compare(a: Any, b: Any) -> jax.Array:
        return jnp.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)

    return apply(compare, a, b, operation="isclose")


def nan_to_num(array: Any, *, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Replace NaN and infinities by numbers, which get no gradient.

    Parameters
    ----------
    array
        Numbers, or records of them.
    nan
        What stands for NaN.
    posinf, neginf
        What stands for the infinities; the largest and smallest numbers of the type by default.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.nan_to_num(rg.from_lists([[1.0, float("nan")], []]), nan=-1.0)
    <RaggedArray [[1.0, -1.0], []] type='2 * var * float32'>
    """

    def replace(x: Any) -> Any:
        return jnp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)

    return _leaves(replace, array)


def _leaves(function: Callable[[jax.Array], jax.Array], array: Any) -> Any:
    """Apply a function to the numbers at the bottom, for each field of records."""
    if isinstance(array, RaggedArray):
        if fields(array) or isinstance(array.content, RaggedArray):
            return array.with_content(content_of(_leaves(function, array.content)))
        return apply(function, array)
    if isinstance(array, RecordArray):
        return RecordArray({k: content_of(_leaves(function, v)) for k, v in array.columns.items()}, array.length)
    return with_length(function(jnp.asarray(content_of(array))), length_of(array))


def full_like(array: Any, fill_value: Any, *, dtype: Any = None) -> Any:
    """Return an array of the same structure with one value everywhere.

    Parameters
    ----------
    array
        Numbers, or records of them.
    fill_value
        The value.
    dtype
        Of the result; the array's own by default.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.full_like(rg.from_lists([[1, 2], [], [3]]), 7)
    <RaggedArray [[7, 7], [], [7]] type='3 * var * int32'>
    """
    return _leaves(lambda x: jnp.full(x.shape, fill_value, dtype or x.dtype), array)


def zeros_like(array: Any, *, dtype: Any = None) -> Any:
    """Return an array of the same structure with zeros.

    Parameters
    ----------
    array
        Numbers, or records of them.
    dtype
        Of the result; the array's own by default.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.zeros_like(rg.from_lists([[1.5, 2.5], [], [3.5]]))
    <RaggedArray [[0.0, 0.0], [], [0.0]] type='3 * var * float32'>
    """
    return full_like(array, 0, dtype=dtype)


def ones_like(array: Any, *, dtype: Any = None) -> Any:
    """Return an array of the same structure with ones.

    Parameters
    ----------
    array
        Numbers, or records of them.
    dtype
        Of the result; the array's own by default.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.ones_like(rg.from_lists([[1.5, 2.5], [], [3.5]]))
    <RaggedArray [[1.0, 1.0], [], [1.0]] type='3 * var * float32'>
    """
    return full_like(array, 1, dtype=dtype)
