"""Numbers that would become infinite in a lower precision."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def largest_beyond(arrays: Iterable[np.ndarray], dtype: np.dtype) -> float | None:
    """Return the largest finite number that is infinite in another type; None when all of them fit.

    NaN and infinity are left aside.

    Examples
    --------
    >>> import numpy as np
    >>> from hepgrad.analysis.data.precision import largest_beyond
    >>> largest_beyond([np.array([1.0, -1e39, np.inf])], np.dtype(np.float32))
    1e+39
    >>> largest_beyond([np.array([1.0, 1e38])], np.dtype(np.float32)) is None
    True
    """
    limit, largest = float(np.finfo(dtype).max), 0.0
    for array in arrays:
        if array.dtype.kind == "f" and array.dtype.itemsize > dtype.itemsize:
            largest = max(largest, float(np.abs(array).max(initial=0.0, where=np.isfinite(array))))
    return largest if largest > limit else None
