"""The arrays that the expressions name, built by Awkward from a list of row lengths and a pool of values.

=====  =====================================================  ========
name   what                                                   type
=====  =====================================================  ========
x, y   two arrays of the same rows                            ragged
z      other rows, as many                                    ragged
p      the rows of x, positive                                ragged
i      the rows of x                                          ragged integers
m      the rows of x                                          ragged booleans
k      valid indices into the rows of x                       ragged integers
d      lists in the rows of x (depth 3)                       ragged
dm     the structure of d                                     ragged booleans
r      the rows of x: pt, eta, charge (int), good (bool)      records
t      the rows of x: pt, and a list ``hits``                 records
w      one value for each row                                 flat
n      one value for each row                                 integers
b      one value for each row                                 booleans
f      as many values as x has items                          flat
e      one record for each row: met, phi                      records
s      one value                                              scalar
=====  =====================================================  ========
"""

from __future__ import annotations

import functools

import awkward as ak
import numpy as np

STRUCTURES = {
    "mixed": [3, 0, 2, 1, 0, 4],
    "full": [3, 2, 4, 2, 5],
    "all rows empty": [0, 0, 0],
    "no rows": [],
    "one row": [4],
    "large rows": [40, 0, 33],
}
NAMES = ("x", "y", "z", "p", "i", "m", "k", "d", "dm", "r", "t", "w", "n", "b", "f", "e", "s")
# halves are exact in float32 and collide often: ties, zeros, negative numbers
GRID = tuple(np.arange(-6, 7) / 2)
SPECIAL = (*GRID, np.nan, np.inf, -np.inf)


def make_inputs(counts: list[int], pool: np.ndarray, dtype: type = np.float32) -> dict:
    """Return the arrays; the values are taken from ``pool``, each name beginning at another place."""
    return dict(_inputs(tuple(counts), pool.tobytes(), dtype))


@functools.lru_cache(maxsize=256)  # all expressions are given the same few
def _inputs(lengths: tuple[int, ...], numbers: bytes, dtype: type) -> dict:
    counts, pool = np.asarray(lengths, np.int64), np.frombuffer(numbers)
    rows, items = len(counts), int(counts.sum())
    inner = (np.arange(items) * 7 + 2) % 4
    other = (counts * 2 + np.arange(rows)) % 4
    positions = np.arange(items) - np.repeat(np.cumsum(counts) - counts, counts)

    def values(start: int, size: int) -> np.ndarray:
        return np.take(pool, np.arange(start, start + size), mode="wrap").astype(dtype)

    def integers(start: int, size: int) -> np.ndarray:
        return np.nan_to_num(values(start, size), posinf=5, neginf=-5).astype(np.int64)

    def lists(data: np.ndarray) -> ak.Array:
        return ak.unflatten(ak.Array(data), counts)

    def deep(data: np.ndarray) -> ak.Array:
        return ak.unflatten(ak.unflatten(ak.Array(data), inner), counts)

    pt, eta, charge = values(37, items), values(5, items), integers(19, items)
    with np.errstate(invalid="ignore"):
        good = pt > eta
    return {
        "x": lists(values(0, items)),
        "y": lists(values(11, items)),
        "z": ak.unflatten(ak.Array(values(23, int(other.sum()))), other),
        "p": lists(np.abs(values(29, items)) + dtype(0.25)),
        "i": lists(integers(3, items)),
        "m": lists(integers(7, items) > 0),
        "k": lists((positions * 5 + 3) % np.repeat(np.maximum(counts, 1), counts)),
        "d": deep(values(13, int(inner.sum()))),
        "dm": deep(integers(17, int(inner.sum())) > -1),
        "r": ak.zip({"pt": lists(pt), "eta": lists(eta), "charge": lists(charge), "good": lists(good)}),
        "t": ak.zip({"pt": lists(pt), "hits": deep(values(31, int(inner.sum())))}, depth_limit=2),
        "w": ak.Array(values(41, rows)),
        "n": ak.Array(integers(43, rows)),
        "b": ak.Array((np.arange(rows) % 3 != 1) if rows else np.zeros(0, bool)),
        "f": ak.Array(values(47, items)),
        "e": ak.zip({"met": values(51, rows), "phi": values(57, rows)}),
        "s": dtype(1.5),
    }
