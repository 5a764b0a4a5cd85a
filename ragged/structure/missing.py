"""Awkward's functions of missing values, for arrays that have none.

A missing value has no derivative and no place in a compiled program, so nothing here ever makes one: where Awkward
would, a ``fill_value`` has to say what stands there instead. What looks for missing values finds none, which lets code
written for Awkward run unchanged.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from ..array import Content, RecordArray, content_length
from ..functions.applying import apply
from ..functions.promotion import holding
from .axes import at_axis, positive_axis
from .lists import local_index
from .padding import pad


def fill_none(array: Any, value: Any, axis: int | None = -1) -> Any:
    """Return the array as it is: there is nothing to fill.

    `hepgrad.ragged.firsts`, `pad` and `from_awkward` take the value that fills where Awkward would leave a gap.

    Parameters
    ----------
    array
        Any array.
    value, axis
        For compatibility.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.fill_none(rg.firsts(rg.from_lists([[1.0, 2.0], []]), fill_value=-1.0), -1.0)
    Array([ 1., -1.], dtype=float32)
    """
    return array


def drop_none(array: Any, axis: int | None = None) -> Any:
    """Return the array as it is: there is nothing to drop.

    Parameters
    ----------
    array
        Any array.
    axis
        For compatibility.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.drop_none(rg.from_lists([[1.0, 2.0], []]))
    <RaggedArray [[1.0, 2.0], []] type='2 * var * float32'>
    """
    return array


def is_none(array: Any, axis: int = 0) -> Any:
    """Return whether items are missing: False everywhere.

    Parameters
    ----------
    array
        A ragged, record or flat array.
    axis
        0 for a boolean per row, 1 for one per item of the rows, and so on; records have one in each field.

    Raises
    ------
    ValueError
        When there is no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.is_none(rg.from_lists([[1.0, 2.0], []]), axis=1)
    <RaggedArray [[False, False], []] type='2 * var * bool'>
    """
    axis = positive_axis(array, axis, operation="is_none")
    if axis:
        return at_axis(array, axis, lambda rows: rows.with_content(_nowhere(rows.content)), operation="is_none")
    if isinstance(array, RecordArray):
        return _nowhere(array)
    return apply(lambda index: jnp.zeros(index.shape, bool), local_index(array, 0), operation="is_none")


def _nowhere(content: Content) -> Content:
    """Return False for each item, field by field."""
    if isinstance(content, RecordArray):
        return dataclasses.replace(content, columns={name: _nowhere(v) for name, v in content.columns.items()})
    return jnp.zeros(content_length(content), bool)


def mask(array: Any, mask: Any, *, valid_when: bool = True, fill_value: Any = None) -> Any:
    """Return the array with a value where the mask does not hold.

    Parameters
    ----------
    array
        Numbers.
    mask
        Booleans that broadcast with the array.
    valid_when
        What the mask is where the array's own items stay.
    fill_value
        What stands elsewhere. There are no missing values, so it has to be given.

    Raises
    ------
    TypeError
        Without ``fill_value``, or for records.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, -2.0], [], [3.0]])
    >>> rg.mask(x, x > 0, fill_value=0.0)
    <RaggedArray [[1.0, 0.0], [], [3.0]] type='3 * var * float32'>
    """
    if fill_value is None:
        raise TypeError(
            "mask: would give missing values, which do not exist here; drop the items with array[mask], or say what "
            "stands in their place with fill_value=... (or rg.where(mask, array, value))"
        )

    def choose(items: Any, flags: Any) -> jax.Array:
        items = jnp.asarray(items)
        dtype = holding(items.dtype, fill_value, operation="mask")
        kept = jnp.asarray(flags) if valid_when else ~jnp.asarray(flags)
        return jnp.where(kept, items.astype(dtype), jnp.asarray(fill_value, dtype))

    return apply(choose, array, mask, operation="mask")


def pad_none(array: Any, target: int, axis: int = 1, *, clip: bool = False, fill_value: Any = None) -> Any:
    """Lengthen rows to at least ``target`` items: `hepgrad.ragged.pad` in the order of Awkward's arguments.

    Parameters
    ----------
    array
        A ragged array.
    target
        The least number of items in a row.
    axis
        Which lists: 1 for the outermost, negative from the deepest.
    clip
        Cut longer rows, so that all have this length.
    fill_value
        The value of the items that are added. There are no missing values, so it has to be given.

    Raises
    ------
    TypeError
        Without ``fill_value``.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.pad_none(rg.from_lists([[1.0, 2.0], []]), 1, fill_value=0.0)
    <RaggedArray [[1.0, 2.0], [0.0]] type='2 * var * float32'>
    """
    if fill_value is None:
        raise TypeError(
            "pad_none: would give missing values, which do not exist here; say what stands in their place with "
            "fill_value=..., or use rg.pad(array, length, fill_value)"
        )
    return pad(array, target, fill_value, axis=axis, clip=clip)
