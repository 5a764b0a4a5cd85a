"""What may have happened to the arrays before an expression: rows and items selected, sliced, flattened, taken.

Each way is a function of a library (Awkward or ours) and of arrays, the same for both. Ours runs inside ``jit``, with
everything that decides a size traced, so that every array that it returns has rows of which only the data know how
many there are.
"""

from __future__ import annotations

import awkward as ak
import numpy as np

# one value, list or record for each row
PER_ROW = ("x", "y", "z", "p", "i", "m", "k", "d", "dm", "r", "t", "w", "n", "b", "e")
IN_ROWS_OF_X = ("x", "y", "p", "i", "m", "d", "dm", "r", "t")


def decisions(inputs: dict) -> dict:
    """Return what the ways need to know: which rows and items stay, and how rows are put together."""
    rows = len(inputs["x"])
    keep = np.arange(rows) % 3 != 1
    counts = ak.num(inputs["x"])
    positions = ak.local_index(inputs["x"])
    # a group of no rows, one with all of them, and one that repeats the first two
    return {
        "keep": ak.Array(keep),
        "items": (positions + ak.Array(np.arange(rows))) % 3 != 1 if rows else positions == 0,
        "of_items": ak.flatten(ak.broadcast_arrays(ak.Array(keep), inputs["x"])[0]) if rows else ak.Array(keep),
        "counts": counts,
        "row": np.int32(1),
    }


def _each(arrays: dict, names: tuple[str, ...], function: object) -> dict:
    return {name: function(array) if name in names else array for name, array in arrays.items()}


def rows_selected(library: object, arrays: dict, how: dict) -> dict:
    """``x[mask]`` for every array, by one mask."""
    selected = _each(arrays, PER_ROW, lambda array: array[how["keep"]])
    return _each(selected, ("f",), lambda array: array[how["of_items"]])


def records_selected(library: object, arrays: dict, how: dict) -> dict:
    """``events[mask]`` for the records that hold every array."""
    together = {name: array for name, array in arrays.items() if name in PER_ROW}
    selected = library.zip(together, depth_limit=1)[how["keep"]] if together else {}
    fields = {name: selected[name] for name in together}
    return {**_each(arrays, ("f",), lambda array: array[how["of_items"]]), **fields}


def items_selected(library: object, arrays: dict, how: dict) -> dict:
    """``x[mask]`` for a mask of items."""
    selected = _each(arrays, IN_ROWS_OF_X, lambda array: array[how["items"]])
    selected = _each(selected, ("f",), lambda array: array[library.flatten(how["items"])])
    # positions in the rows that are left
    return _each(selected, ("k",), lambda array: library.local_index(array[how["items"]])[:, ::-1])


def sliced(library: object, arrays: dict, how: dict) -> dict:
    """``x[mask][1:]``: a slice of rows of which only the data know how many there are."""
    selected = rows_selected(library, arrays, how)
    before = library.num(selected["x"][:1])[0] if "x" in selected and "f" in selected else None
    selected = _each(selected, PER_ROW, lambda array: array[1:])
    return _each(selected, ("f",), lambda array: array[library.local_index(array, axis=0) >= before])


def flattened(library: object, arrays: dict, how: dict) -> dict:
    """``flatten(lists of rows)``: a list level around the rows that is taken away again."""
    grouped = _each(arrays, PER_ROW, lambda array: library.unflatten(array, [1, 0, len(array) - 1]))
    return _each(grouped, PER_ROW, lambda array: library.flatten(array, axis=1))


def one_of_many(library: object, arrays: dict, how: dict) -> dict:
    """``x3[i]``: one list of rows, of which there are several."""
    grouped = _each(arrays, PER_ROW, lambda array: library.unflatten(array, [0, len(array), 0]))
    return _each(grouped, PER_ROW, lambda array: array[how["row"]])


WAYS = (rows_selected, records_selected, items_selected, sliced, flattened, one_of_many)

# what is done with a result ``v``, of any kind, when it is there
FOLLOWING = {
    "mean": lambda ak, v: ak.mean(v),
    "min": lambda ak, v: ak.min(v),
    "max": lambda ak, v: ak.max(v),
    "prod": lambda ak, v: ak.prod(v),
    "sort": lambda ak, v: ak.sort(v),
    "argmax": lambda ak, v: ak.argmax(v, axis=-1),
    "last": lambda ak, v: v[-1],
    "where": lambda ak, v: ak.where(v > 0, v, 1.0),
    "concatenate": lambda ak, v: ak.concatenate([v, v]),
    "broadcast": lambda ak, v: v + ak.local_index(v, axis=0),
    "mask": lambda ak, v: v[ak.local_index(v, axis=0) != 1],
    "slice": lambda ak, v: v[1::2],
}

# and with arrays that have the rows there were before: Awkward refuses unless as many are left
FOLLOWING_WITH_FORMER_ROWS = {
    "broadcast with the former rows": lambda ak, v, keep: v + ak.local_index(keep, axis=0),
    "where among the former rows": lambda ak, v, keep: ak.where(keep, v, v),
    "mask of the former rows": lambda ak, v, keep: v[keep],
    "zip with the former rows": lambda ak, v, keep: ak.zip({"v": v, "former": keep}, depth_limit=1),
    "last of the former rows": lambda ak, v, keep: v[len(keep) - 1],
}
AFTERWARDS = (*FOLLOWING, *FOLLOWING_WITH_FORMER_ROWS)


def afterwards(name: str, library: object, value: object, how: dict) -> object:
    """Do what goes by this name with a result, or a part of one."""
    if name in FOLLOWING:
        return FOLLOWING[name](library, value)
    return FOLLOWING_WITH_FORMER_ROWS[name](library, value, how["keep"])
