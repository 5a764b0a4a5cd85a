"""Types: that of an array, and that of its numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..array import RaggedArray, RecordArray
from ..printing import type_of


def type(array: Any) -> str:
    """Return the type of an array in Awkward's notation, as `type_of`; ``str(ak.type(array))`` for Awkward's arrays.

    Parameters
    ----------
    array
        A ragged, record or flat array.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.type(rg.from_lists([[1.0, 2.0], [], [3.0]]))
    '3 * var * float32'
    """
    return type_of(array)


def values_astype(array: Any, to: Any) -> Any:
    """Return the array with its numbers converted, at any depth and in every field.

    Parameters
    ----------
    array
        A ragged, record or flat array, or a number.
    to
        A type of numbers or booleans, such as ``np.float32`` or ``"int32"``. Types of 64 bits become those of 32 unless
        ``jax_enable_x64`` is set, as everywhere in JAX.

    Raises
    ------
    TypeError
        When it is no type of numbers.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.values_astype(rg.from_lists([[1, 2], [], [3]]), float)
    <RaggedArray [[1.0, 2.0], [], [3.0]] type='3 * var * float32'>
    """
    wanted = jnp.dtype(to)
    if not (jnp.issubdtype(wanted, jnp.number) or jnp.issubdtype(wanted, jnp.bool_)):
        raise TypeError(f"values_astype: arrays hold numbers and booleans, so they cannot be converted to {wanted}")
    return _converted(array, jax.dtypes.canonicalize_dtype(wanted))


def _converted(array: Any, dtype: Any) -> Any:
    if isinstance(array, RaggedArray):
        return array.with_content(_converted(array.content, dtype))
    if isinstance(array, RecordArray):
        columns = {name: _converted(column, dtype) for name, column in array.columns.items()}
        return dataclasses.replace(array, columns=columns)
    return array.astype(dtype) if hasattr(array, "astype") else np.asarray(array).astype(dtype)[()]
