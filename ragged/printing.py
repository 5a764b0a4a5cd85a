"""How ragged arrays show themselves: the type, and the first and last rows.

Printing must not fail, whatever the leaves are: inside ``jit`` and ``vmap``, and while JAX moves pytrees around whose
leaves are no arrays at all, there are only shapes to show.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import awkward as ak
import jax
import numpy as np

from .array import RaggedArray, RecordArray, content_length
from .convert import to_awkward
from .flat import FlatArray
from .operators import owner
from .record import Record
from .tracing import concrete, is_traced

_WIDTH = 80
_ROWS_IN_HTML = 10


@owner
def describe(array: Any) -> str:
    """Return one line with the values, shortened, and the type.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.from_lists([[1.0, 2.0], [], [3.0]])
    <RaggedArray [[1.0, 2.0], [], [3.0]] type='3 * var * float32'>
    """
    name, kind = type(array).__name__, type_of(array)
    if not _has_values(array):
        return f"<{name} traced type='{kind}'>"
    if isinstance(array, FlatArray):
        # as the array that it converts to
        return repr(array.buffer("repr"))
    room = max(_WIDTH - len(name) - len(kind) - 12, 50)
    return f"<{name} {_show(to_awkward(array), room)} type='{kind}'>"


@owner
def describe_html(array: Any) -> str:
    """Return the type and a few rows, one per line, for notebooks."""
    lines = [f"type: {type_of(array)}"]
    if _has_values(array):
        rows = to_awkward(array)
        rows = rows if isinstance(rows, ak.Array) else [rows]
        n = len(rows)
        half = _ROWS_IN_HTML // 2
        shown = range(n) if n <= _ROWS_IN_HTML else [*range(half), *range(n - half, n)]
        lines = [_show(rows[i], _WIDTH) for i in shown] + ["-" * 20, *lines]
        if n > _ROWS_IN_HTML:
            lines.insert(half, "...")
    return f"<pre>{html.escape(chr(10).join(lines))}</pre>"


def type_of(array: Any) -> str:
    """Return the type of an array in Awkward's notation, such as ``3 * var * float32``.

    Parameters
    ----------
    array
        A ragged, record or flat array. Where the number of items is not known the type shows the capacity.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.type_of(rg.from_lists([[{"pt": 30.0, "btag": True}], []]))
    '2 * var * {pt: float32, btag: bool}'
    """
    if isinstance(array, RaggedArray):
        if not _is_list(array):
            return f"lists with leaves {', '.join(_shape(leaf) for leaf in jax.tree.leaves(array))}"
        return f"{_row_count(array)} * {_item_type(array)}"
    if isinstance(array, RecordArray):
        lengths = {_leading(column) for column in array.columns.values()}
        if lengths == {""}:
            return _item_type(array)
        rows = _row_count(array) if array.length is not None else lengths.pop() if len(lengths) == 1 else "?"
        return f"{rows} * {_item_type(array)}"
    if isinstance(array, Record):
        return "{" + ", ".join(f"{k}: {_field_type(v)}" for k, v in array.columns.items()) + "}"
    if isinstance(array, FlatArray):
        if getattr(array.content, "shape", ()):
            return f"{_row_count(array)} * {_item_type(array.content)}"
        return _shape(array.content)
    return _shape(array)


def _field_type(value: Any) -> str:
    """Return the type of a value of one record."""
    if isinstance(value, FlatArray | RaggedArray | RecordArray | Record):
        return type_of(value)
    return _item_type(value)


def _is_list(array: RaggedArray) -> bool:
    """Return whether the structure is what a single ragged array has: not a batch of them, not placeholders."""
    return all(len(getattr(leaf, "shape", ())) == 1 for leaf in (array.offsets, array.row_ids))


def _is_array(leaf: Any) -> bool:
    """Return whether this is an array, traced or not, that has not been donated or deleted."""
    if isinstance(leaf, jax.Array) and not is_traced(leaf) and leaf.is_deleted():
        return False
    return isinstance(leaf, jax.Array | np.ndarray)


def _row_count(array: FlatArray | RaggedArray | RecordArray) -> str:
    if array.length is None:
        return str(array.rows)
    known = concrete(array.length) if _is_array(array.length) and array.length.ndim == 0 else None
    return f"up to {array.rows}" if known is None else str(known)


def _leading(content: Any) -> str:
    if isinstance(content, RaggedArray):
        return _row_count(content) if _is_list(content) else "?"
    if isinstance(content, RecordArray):
        return _leading(next(iter(content.columns.values()), None))
    shape = getattr(content, "shape", None)
    return str(shape[0]) if shape else "" if shape == () else "?"


def _item_type(content: Any) -> str:
    """Return the type of one item."""
    if isinstance(content, RaggedArray):
        if not _is_list(content):
            return f"({type_of(content)})"
        known = _is_array(content.offsets) and concrete(content.offsets) is not None
        size = "" if known or content.exact else f"[capacity {content.capacity}]"
        return f"var{size} * {_item_type(content.content)}"
    if isinstance(content, RecordArray):
        return "{" + ", ".join(f"{k}: {_item_type(v)}" for k, v in content.columns.items()) + "}"
    if not hasattr(content, "dtype") or not hasattr(content, "shape"):
        return _shape(content)
    return " * ".join([*(str(n) for n in content.shape[1:]), _dtype(content)])


def _shape(leaf: Any) -> str:
    if not hasattr(leaf, "dtype") or not hasattr(leaf, "shape"):
        return type(leaf).__name__
    return f"{_dtype(leaf)}[{','.join(str(n) for n in leaf.shape)}]"


def _dtype(leaf: Any) -> str:
    return "float0" if leaf.dtype == jax.dtypes.float0 else str(leaf.dtype)


def _has_values(array: Any) -> bool:
    """Return whether every leaf is an array with known values, and the shapes fit each other."""
    for leaf in jax.tree.leaves(array, is_leaf=lambda x: x is None):
        if leaf is None:
            continue
        if not _is_array(leaf) or leaf.dtype == jax.dtypes.float0 or concrete(leaf) is None:
            return False
    return _consistent(array)


def _consistent(array: Any) -> bool:
    if isinstance(array, RaggedArray):
        if not _is_list(array) or array.rows < 0 or not _consistent(array.content):
            return False
        known = concrete(array.offsets)
        return known is not None and _leading(array.content) != "" and content_length(array.content) >= int(known[-1])
    if isinstance(array, Record | RecordArray):
        return bool(array.columns) and all(_consistent(column) for column in array.columns.values())
    if isinstance(array, FlatArray):
        return _consistent(array.content)
    return isinstance(array, jax.Array | np.ndarray)


def _show(value: Any, room: int) -> str:
    """Return a value in about ``room`` characters."""
    if isinstance(value, ak.Record):
        return "{" + ", ".join(f"{k}: {_show(value[k], room)}" for k in value.fields) + "}"
    if isinstance(value, ak.Array):
        return _sequence(len(value), lambda i: value[i], room)
    return _number(value)


def _number(value: Any) -> str:
    if isinstance(value, np.bool_ | bool):
        return str(bool(value))
    if isinstance(value, np.complexfloating | complex):
        return f"{complex(value):.3g}"
    if isinstance(value, np.integer | int):
        return str(value)
    text = f"{float(value):.3g}"
    return text if any(letter in text for letter in ".en") else text + ".0"


def _sequence(n: int, item: Callable[[int], Any], room: int) -> str:
    """Show items alternately from both ends until the room is used."""
    front: list[str] = []
    back: list[str] = []
    room -= 2
    for step in range(n):
        from_front = step % 2 == 0
        text = _show(item(len(front) if from_front else n - 1 - len(back)), room)
        left = room - len(text) - 2
        if left < (0 if step == n - 1 else 5) and step > 0:
            return f"[{', '.join([*front, '...', *reversed(back)])}]"
        (front if from_front else back).append(text)
        room = left
    return f"[{', '.join([*front, *reversed(back)])}]"
