"""The fields of records: look up, add, remove, take apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .array import Content, RaggedArray, RecordArray, content_of, with_length
from .functions.applying import align
from .functions.broadcast import broadcast_arrays
from .resize import settle
from .rows import joined


def fields(array: Any) -> list[str]:
    """Return the names of the fields of an array of records; an empty list for numbers.

    Parameters
    ----------
    array
        A ragged, record or flat array.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.fields(rg.from_lists([[{"pt": 1.0, "eta": 0.5}], []]))
    ['pt', 'eta']
    """
    return array.fields if isinstance(array, RaggedArray | RecordArray) else []


def select_fields(array: Any, names: Sequence[str | list[str]]) -> Any:
    """Return a field (of a field, ...), or the records with only the listed fields.

    Raises `KeyError` when there is no such field; the message lists the fields there are.
    """
    for name in names:
        array = _select(array, name)
    return array


def _select(array: Any, name: str | list[str]) -> Any:
    if isinstance(array, RaggedArray):
        return array.with_content(content_of(_select(array.content, name)))
    wanted = [name] if isinstance(name, str) else name
    for one in wanted:
        if not isinstance(array, RecordArray) or one not in array.columns:
            raise KeyError(f"no field {one!r}; the fields are {fields(array)}")
    if isinstance(name, str):
        return with_length(array.columns[name], array.length)
    return RecordArray({k: array.columns[k] for k in wanted}, array.length)


def unzip(array: Any) -> tuple[Any, ...]:
    """Return the fields of records as separate arrays.

    Parameters
    ----------
    array
        An array of records; an array of numbers gives a tuple with itself.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> pt, eta = rg.unzip(rg.from_lists([[{"pt": 1.0, "eta": 0.5}], []]))
    >>> eta
    <RaggedArray [[0.5], []] type='2 * var * float32'>
    """
    names = fields(array)
    return tuple(_select(array, name) for name in names) if names else (array,)


def with_field(array: Any, what: Any, where: str | Sequence[str]) -> Any:
    """Return records with one more field, or with a field replaced.

    Parameters
    ----------
    array
        An array of records.
    what
        The new field; broadcast to the records (a value per row goes to each record of the row).
    where
        Its name, or the path of names to a field of a field.

    Raises
    ------
    StructureError
        When the rows do not fit.
    TypeError
        When ``array`` has no fields.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> jets = rg.from_lists([[{"pt": 30.0}, {"pt": 20.0}], []])
    >>> rg.to_list(rg.with_field(jets, 2.0 * jets.pt, "double")[0])
    [{'pt': 30.0, 'double': 60.0}, {'pt': 20.0, 'double': 40.0}]
    """
    path = [where] if isinstance(where, str) else list(where)
    if len(path) > 1:
        inner = with_field(_select(array, path[0]), what, path[1:])
        return with_field(array, inner, path[0])
    if not fields(array):
        raise TypeError(f"with_field: {path[0]!r} can be added to records, not to an array of numbers; use rg.zip")
    return _add(array, what, path[0])


def _add(array: Content, what: Any, name: str) -> Content:
    if isinstance(array, RaggedArray):
        rows, (old, new) = align([array, what], operation="with_field")
        return rows.with_content(_add(old, new, name))
    assert isinstance(array, RecordArray)
    old, new = broadcast_arrays(settle(array), what, depth_limit=1)
    return joined(
        {**{k: with_length(v, old.length) for k, v in old.columns.items()}, name: new}, operation="with_field"
    )


def without_field(array: Any, where: str | Sequence[str]) -> Any:
    """Return records without one of their fields.

    Parameters
    ----------
    array
        An array of records.
    where
        The name of the field, or the path of names to a field of a field.

    Raises
    ------
    KeyError
        When there is no such field.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.fields(rg.without_field(rg.from_lists([[{"pt": 1.0, "eta": 0.5}], []]), "eta"))
    ['pt']
    """
    path = [where] if isinstance(where, str) else list(where)
    if len(path) > 1:
        return with_field(array, without_field(_select(array, path[0]), path[1:]), path[0])
    _select(array, path[0])
    return _select(array, [name for name in fields(array) if name != path[0]])
