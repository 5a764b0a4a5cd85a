"""Broadcast arrays into each other's rows: `broadcast_arrays`, `zip`."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..array import RaggedArray, RecordArray, content_of, with_length
from ..flat import FlatArray
from ..resize import settle
from ..rows import Rows, common_rows, cut, has_rows, is_per_row, rows_of
from ..slicing.within_rows import as_lists
from .applying import align, apply


def _descend(arrays: Sequence[Any], combine: Callable[[Sequence[Any]], Any], depth: int | None, operation: str) -> Any:
    """Broadcast down to the numbers (or through ``depth`` levels), combine there and put the lists back around it."""
    if depth == 0 or not any(isinstance(x, RaggedArray) for x in arrays):
        arrays = [settle(x) for x in arrays]
        several = [rows_of(x) for x in arrays if isinstance(x, RaggedArray) or is_per_row(x)]
        if not any(has_rows(x) for x in arrays):
            return combine([jnp.asarray(x) for x in arrays])
        rows = common_rows(several, operation=operation)[0] if several else Rows(1, None)
        return _real(combine([_repeated(x, rows) for x in arrays]), rows)
    lists, contents = align(arrays, operation=operation)
    inner = _descend(contents, combine, None if depth is None else depth - 1, operation)
    if isinstance(inner, list):
        return [lists.with_content(content_of(part)) for part in inner]
    return lists.with_content(content_of(inner))


def _are_regular(arrays: Sequence[Any]) -> bool:
    """Return whether arrays, none of them ragged, have more than one axis, such as ``keepdims=True`` leaves."""
    lists = any(isinstance(x, RaggedArray | RecordArray) for x in arrays)
    return not lists and any(np.ndim(content_of(x)) > 1 for x in arrays)


def _repeated(x: Any, rows: Rows) -> Any:
    """Return the content of an array in these rows; a number, or a single row, is repeated for all of them."""
    if isinstance(x, RaggedArray) or is_per_row(x):
        return cut(x, rows)
    x = content_of(x)
    if isinstance(x, RecordArray):
        return RecordArray({k: _repeated(v, rows) for k, v in x.columns.items()})
    x = jnp.asarray(x)
    return jnp.broadcast_to(x, (rows.count, *x.shape[1:]))


def _real(combined: Any, rows: Rows) -> Any:
    if isinstance(combined, list):
        return [with_length(part, rows.length) for part in combined]
    return with_length(combined, rows.length)


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
    if depth_limit != 1 and _are_regular(arrays):
        # as NumPy does
        return list(apply(lambda *each: tuple(jnp.broadcast_arrays(*each)), *arrays, operation="broadcast_arrays"))
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

    given = list(arrays.values())
    if depth != 0 and _are_regular(given):
        given = [as_lists(x if isinstance(x, FlatArray) else with_length(jnp.asarray(x), None)) for x in given]
    return _descend(given, record, depth, "zip")
