"""What the columns of a file say that an event counts for: one of them, an item of a list, a factor of the sample."""

from __future__ import annotations

import awkward as ak
import numpy as np

from ..errors import InputError
from .layout import Layout
from .sample import Sample


def column_weights(events: ak.Array, sample: Sample, layout: Layout, file: str) -> np.ndarray:
    """Return the weights in the column of a sample, shape (events,); 1 where it has none.

    Raises `InputError` when there is not one finite number for each event.
    """
    if not sample.weight:
        return np.ones(len(events))
    name, position = sample.weight_column, sample.weight_position
    where = layout.field(name)
    column = events[where if where[1] else where[0]]
    if position is not None and column.ndim == 2:
        if short := int(ak.sum(ak.num(column) <= position)):
            raise InputError(
                f"sample {sample.name!r}: {name} has no item {position} in {short} of {len(events)} events of {file}; "
                'choose another "weight" in the fileset'
            )
        column = column[:, position]
    try:
        weights = ak.to_numpy(column, allow_missing=False)
    except (TypeError, ValueError):
        weights = None
    if weights is None or weights.ndim != 1 or weights.dtype.kind not in "fiu":
        raise InputError(
            f"sample {sample.name!r}: the weights must be one number for each event, and {name} holds "
            f'{column.type.content} in {file}; name another column with "weight" in the fileset, or an item of it, as '
            f'in "{name}[0]"'
        )
    if bad := int(np.count_nonzero(~np.isfinite(weights))):
        raise InputError(
            f"sample {sample.name!r}: {bad} of {len(weights)} values of {sample.weight} are NaN or infinite in {file}; "
            "remove these events or correct their weights"
        )
    return weights
