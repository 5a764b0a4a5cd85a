"""Axes of nested lists: counted from outside, and functions of the lists at one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..array import Content, RaggedArray, RecordArray, content_of, with_length


def depth(array: Content) -> int:
    """Return the number of axes, which all fields of a record must share.

    Raises `ValueError` when the fields have different numbers of axes, so that a negative axis has no meaning.
    """
    if isinstance(array, RaggedArray):
        return 1 + depth(array.content)
    if isinstance(array, RecordArray):
        depths = {name: depth(column) for name, column in array.columns.items()}
        if len(set(depths.values())) > 1:
            raise ValueError(f"a negative axis needs fields with the same number of axes; these have {depths}")
        return next(iter(depths.values()))
    return array.ndim


def positive_axis(array: Content, axis: int, *, operation: str) -> int:
    """Return an axis counted from outside.

    Raises `ValueError` when the array has no such axis.
    """
    if axis >= 0:
        return axis
    axes = depth(array)
    if axis + axes < 0:
        raise ValueError(f"{operation}: axis={axis} is out of range for an array with {axes} axes")
    return axis + axes


def at_axis(array: Content, axis: int, function: Callable[[Any], Any], *, operation: str) -> Any:
    """Apply a function of rows to the lists at an axis, for each field of a record.

    Axis 1 is the outermost lists; the function receives the array at that level. Raises `ValueError` when there are no
    lists at this axis.
    """
    if isinstance(array, RaggedArray):
        if axis == 1:
            return with_length(function(array), array.length)
        return array.with_content(at_axis(array.content, axis - 1, function, operation=operation))
    if isinstance(array, RecordArray):
        columns = {k: content_of(at_axis(v, axis, function, operation=operation)) for k, v in array.columns.items()}
        return RecordArray(columns, array.length)
    raise ValueError(f"{operation}: the array has no lists at this axis (it is {axis} too deep)")
