"""Values that are NaN or infinite: how many there are, and the events without any."""

from __future__ import annotations

from collections.abc import Iterator

import awkward as ak
import numpy as np


def not_finite(events: ak.Array) -> dict[str, int]:
    """Return how many values of each column are NaN or infinite; only columns that have some.

    Examples
    --------
    >>> import awkward as ak
    >>> from hepgrad.workflows.read.trust.finite import not_finite
    >>> not_finite(ak.Array([{"Jet": [{"pt": 30.0}, {"pt": float("nan")}], "met": 10.0}]))
    {'Jet_pt': 1}
    """
    counts = {
        name: int(np.count_nonzero(~np.isfinite(ak.to_numpy(ak.flatten(column, axis=None)))))
        for name, column in _floats(events)
    }
    return {name: number for name, number in counts.items() if number}


def finite_events(events: ak.Array) -> np.ndarray:
    """Return which events have no value that is NaN or infinite: bool, shape (events,)."""
    finite = np.ones(len(events), bool)
    for _, column in _floats(events):
        good = np.isfinite(column)
        while good.ndim > 1:
            good = ak.all(good, axis=-1)
        finite &= ak.to_numpy(good)
    return finite


def _floats(events: ak.Array) -> Iterator[tuple[str, ak.Array]]:
    for name in events.fields:
        column = events[name]
        for field in column.fields or [""]:
            values = column[field] if field else column
            if _is_float(values):
                yield f"{name}_{field}" if field else name, values


def _is_float(values: ak.Array) -> bool:
    try:
        return bool(ak.to_numpy(ak.flatten(values, axis=None)[:0], allow_missing=False).dtype.kind == "f")
    except (TypeError, ValueError):
        return False
