"""Which events are cut by which values, where these were found in folds: a hash of an event's number decides."""

from __future__ import annotations

import numpy as np


def fold_numbers(numbers, folds):
    """Return the fold of each event from its number, also of collision data: from 0 to ``folds - 1``."""
    with np.errstate(over="ignore"):
        x = np.asarray(numbers).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return np.minimum((x / 2.0**64 * folds).astype(int), folds - 1)
