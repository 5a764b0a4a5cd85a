"""Quantities of an array that a program needs often, computed once: XLA would merge them, but not their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from .array import RaggedArray
from .flat import FlatArray
from .tracing import is_traced

T = TypeVar("T")


def remembered(array: RaggedArray, key: Hashable, compute: Callable[[], T]) -> T:
    """Return what is computed from an array, the same object every time the same array is asked for it while tracing.

    Derivatives of the uses are then added up before they go through the computation, instead of each on its own.

    Examples
    --------
    >>> import jax
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.ragged.remembered import remembered
    >>> def twice(x):
    ...     first, second = (remembered(x, "sum", lambda: rg.sum(x, axis=1)) for _ in range(2))
    ...     return first is second
    >>> bool(jax.jit(twice)(rg.from_lists([[1.0], [2.0, 3.0]])))
    True
    """
    memory = array.__dict__.setdefault("_remembered", {})
    if key not in memory:
        result = compute()
        if not _belongs_to(result, array):
            return result
        memory[key] = result
    found: T = memory[key]
    return found


def _belongs_to(result: Any, array: RaggedArray) -> bool:
    """Tell whether a result lives as long as the array, and does not belong to a transformation inside."""
    # the rows are often those of another level: only the numbers tell
    numbers = result.content if isinstance(result, FlatArray | RaggedArray) else result
    return is_traced(array.content) and is_traced(numbers) and numbers._trace is array.content._trace
