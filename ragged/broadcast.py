"""Broadcast arrays into each other's rows: `broadcast_arrays`, `zip`."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .array import Content, RaggedArray, RecordArray, content_length
from .errors import StructureError
from .ufunc import align


def spread(x: Any, like: Content, *, operation: str) -> Any:
    """Return ``x`` with one item per item of ``like`` along the first axis.

    Parameters
    ----------
    x
        A scalar, or an array of the right length or of length 1.
    like
        Flat, nested or record content.
    operation
        Name for the error message.

    Raises
    ------
    StructureError
        When the lengths do not fit.
    """
    n = content_length(like)
    if not isinstance(x, RaggedArray | RecordArray):
        x = jnp.asarray(x)
        if x.ndim == 0:
            return jnp.broadcast_to(x, (n,))
        if x.shape[0] == 1:
            return jnp.broadcast_to(x, (n, *x.shape[1:]))
    if content_length(x) != n:
        raise StructureError(f"{operation}: cannot broadcast {content_length(x)} rows with {n}")
    return x


def _descend(arrays: Sequence[Any], combine: Callable[[Sequence[Any]], Any], depth: int | None, operation: str) -> Any:
    """Broadcast down to the numbers (or through ``depth`` levels), combine there and put the lists back around it."""
    if depth == 0 or not any(isinstance(x, RaggedArray) for x in arrays):
        longest = max(arrays, key=lambda x: content_length(x) if _has_axis(x) else -1)
        if not _has_axis(longest):
            return combine([jnp.asarray(x) for x in arrays])
        return combine([spread(x, longest, operation=operation) for x in arrays])
    rows, contents = align(arrays, operation=operation)
    inner = _descend(contents, combine, None if depth is None else depth - 1, operation)
    return [rows.with_content(part) for part in inner] if isinstance(inner, list) else rows.with_content(inner)


def _has_axis(x: Any) -> bool:
    return isinstance(x, RaggedArray | RecordArray) or np.ndim(x) > 0


def broadcast_arrays(*arrays: Any, depth_limit: int | None = None) -> list[Any]:
    """Return arrays repeated to their common structure.

    Parameters
    ----------
    *arrays
        Ragged arrays, flat arrays with one value per row, scalars.
    depth_limit
        Broadcast this many axes; all by default.

    Raises
    ------
    StructureError
        When the rows do not fit.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x, event = rg.broadcast_arrays(rg.from_lists([[1.0, 2.0], [], [3.0]]), rg.from_numpy([10.0, 20.0, 30.0]))
    >>> event
    <RaggedArray [[10.0, 10.0], [], [30.0]] type='3 * var * float32'>
    """
    depth = None if depth_limit is None else depth_limit - 1
    result = _descend(arrays, list, depth, "broadcast_arrays")
    assert isinstance(result, list)
    return result


def zip(arrays: Mapping[str, Any] | Sequence[Any], *, depth_limit: int | None = None) -> Any:
    """Join arrays into records, broadcasting values per row into the rows.

    Parameters
    ----------
    arrays
        The fields by name; a sequence names them "0", "1", ...
    depth_limit
        How many axes the fields share: with 1 the fields keep their lists, and each row becomes one record. By default
        as many as there are.

    Returns
    -------
    RaggedArray or RecordArray
        One record per item.

    Raises
    ------
    StructureError
        When the rows do not fit.
    ValueError
        Without any field.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> jets = rg.zip({"pt": rg.from_lists([[30.0, 20.0], []]), "event": rg.from_numpy([7, 8])})
    >>> rg.to_list(jets)
    [[{'pt': 30.0, 'event': 7}, {'pt': 20.0, 'event': 7}], []]
    """
    if not isinstance(arrays, Mapping):
        arrays = {str(i): array for i, array in enumerate(arrays)}
    if not arrays:
        raise ValueError("zip: records need at least one field")
    names = list(arrays)
    depth = None if depth_limit is None else depth_limit - 1

    def record(columns: Sequence[Any]) -> RecordArray:
        return RecordArray(dict(builtins.zip(names, columns, strict=True)))

    return _descend(list(arrays.values()), record, depth, "zip")
