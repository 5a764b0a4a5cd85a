"""Arrays without room to spare, and arrays for NumPy."""

from __future__ import annotations

import dataclasses
from typing import Any

import awkward as ak
import numpy as np

from ..array import RaggedArray, RecordArray
from ..convert import to_awkward
from ..resize import head, settle
from ..tracing import concrete


def to_packed(array: Any) -> Any:
    """Return the array without the unused ends of its buffers.

    Inside ``jit``, where only the running program knows how long the data are, buffers stay as they are.

    Parameters
    ----------
    array
        A ragged, record or flat array.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0], [3.0]], capacity=64)
    >>> rg.to_packed(x).capacity
    3
    """
    if isinstance(array, RecordArray):
        columns = {name: to_packed(column) for name, column in array.columns.items()}
        return dataclasses.replace(array, columns=columns)
    if not isinstance(array, RaggedArray):
        return array
    rows = settle(array)
    offsets, ids = concrete(rows.offsets), concrete(rows.row_ids)
    if offsets is None or ids is None or rows.length is not None:
        return array
    size = int(offsets[-1])
    longest = int(np.diff(offsets).max(initial=0))
    return RaggedArray(rows.offsets, rows.row_ids[:size], to_packed(head(rows.content, size)), None, longest, True)


def to_numpy(array: Any, *, allow_missing: bool = True) -> np.ndarray:
    """Convert to a NumPy array; records become a structured array.

    Parameters
    ----------
    array
        A flat or record array, or rows of equal length, with known values (not inside ``jit``).
    allow_missing
        For compatibility: there are no missing values.

    Raises
    ------
    ValueError
        When rows have different lengths.
    TypeError
        Inside ``jit``.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_numpy(rg.from_lists([[1.0, 2.0], [3.0, 4.0]]))
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    known = to_awkward(array)
    try:
        return np.asarray(ak.to_numpy(known, allow_missing=False))
    except ValueError as error:
        raise ValueError(
            "to_numpy: rows of different lengths have no NumPy equivalent; fill them up with "
            "rg.to_padded(array, fill_value, length), or take the numbers alone with rg.ravel(array)"
        ) from error
