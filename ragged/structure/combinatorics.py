"""Tuples of items: the combinations within a row, and the Cartesian product of the rows of several arrays.

Both continue every tuple so far by a run of neighbouring items: those after its last one, or the whole row of the next
array. A tuple that cannot be completed is dropped at once, so that no intermediate step is longer than the result.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..array import RaggedArray, content_of, with_length
from ..errors import StructureError
from ..functions.applying import align
from ..resize import settle
from ..rows import common_rows, cut, rows_of
from ..slicing.within_rows import as_lists
from ..tracing import concrete
from .tuples import Room, Tuples, at, structure


def combinations(
    x: Any,
    n: int,
    *,
    replacement: bool = False,
    axis: int = 1,
    fields: Sequence[str] | None = None,
    capacity: int | None = None,
) -> Any:
    """Return all choices of ``n`` items of each row, in the order of ``itertools.combinations``.

    Parameters
    ----------
    x
        Rows of numbers, records or lists.
    n
        The number of items in a choice, at least 1.
    replacement
        Whether an item may be chosen more than once.
    axis
        Where to choose: 1 in the outermost lists, 2 in the lists inside them, 0 among the rows themselves.
    fields
        Names for the places of a choice instead of "0", "1", ...
    capacity
        Room for this many choices. By default exactly as many as there are; inside ``jit`` the most that ``max_length``
        and the capacity of ``x`` allow.

    Returns
    -------
    RaggedArray
        Records with one field for each place (what Awkward returns as tuples); `rg.unzip` takes them apart.
        For ``axis=0`` a `RecordArray`.

    Raises
    ------
    CapacityError
        When the choices do not fit.
    TypeError
        Inside ``jit`` without ``capacity``, when ``x`` has no ``max_length``.
    StructureError
        When there is no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> pairs = rg.combinations(rg.from_lists([[1.0, 2.0, 4.0], [], [5.0, 8.0]]), 2, fields=["a", "b"])
    >>> rg.to_list(pairs.b - pairs.a)
    [[1.0, 3.0, 2.0], [], [3.0]]
    """
    return _combinations(x, n, replacement, axis, fields, capacity, "combinations")


def argcombinations(
    x: Any,
    n: int,
    *,
    replacement: bool = False,
    axis: int = 1,
    fields: Sequence[str] | None = None,
    capacity: int | None = None,
) -> Any:
    """Return the positions of the items that `combinations` returns.

    Parameters
    ----------
    x, n, replacement, axis, fields, capacity
        As for `combinations`.

    Raises
    ------
    CapacityError, TypeError, StructureError
        As for `combinations`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_list(rg.argcombinations(rg.from_lists([[1.0, 2.0, 4.0], []]), 2))
    [[{'0': 0, '1': 1}, {'0': 0, '1': 2}, {'0': 1, '1': 2}], []]
    """
    return _combinations(x, n, replacement, axis, fields, capacity, "argcombinations")


def cartesian(
    arrays: Mapping[str, Any] | Sequence[Any],
    axis: int = 1,
    *,
    nested: bool | Sequence[int | str] | None = None,
    capacity: int | None = None,
) -> Any:
    """Return every choice of one item of each array, row by row; the items of the last array vary fastest.

    Parameters
    ----------
    arrays
        Ragged arrays with the same number of rows; a dict names the fields of the result.
    axis
        1 for the items of the rows; deeper where the lists around are the same; 0 for all rows with all rows.
    nested
        True to keep the choices that share all items but the last in a list of their own, and so on outwards; or only
        the positions (names) of the arrays after which a new list begins.
    capacity
        Room for this many choices. By default exactly as many as there are; inside ``jit`` the most that the arrays'
        ``max_length`` and capacities allow.

    Returns
    -------
    RaggedArray
        Records with the fields "0", "1", ... or those of the dict. For ``axis=0`` a `RecordArray`.

    Raises
    ------
    CapacityError
        When the choices do not fit.
    TypeError
        Inside ``jit`` without ``capacity``, when arrays have no ``max_length``.
    StructureError
        When the numbers of rows differ, or there is no such axis.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> jets, leptons = rg.from_lists([[1, 2], [3]]), rg.from_lists([[10], [20, 30]])
    >>> both = rg.cartesian({"jet": jets, "lepton": leptons})
    >>> rg.to_list(both.jet + both.lepton)
    [[11, 12], [23, 33]]
    """
    return _cartesian(arrays, axis, nested, capacity, "cartesian")


def argcartesian(
    arrays: Mapping[str, Any] | Sequence[Any],
    axis: int = 1,
    *,
    nested: bool | Sequence[int | str] | None = None,
    capacity: int | None = None,
) -> Any:
    """Return the positions of the items that `cartesian` returns.

    Parameters
    ----------
    arrays, axis, nested, capacity
        As for `cartesian`.

    Raises
    ------
    CapacityError, TypeError, StructureError
        As for `cartesian`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> rg.to_list(rg.argcartesian([rg.from_lists([[5, 6]]), rg.from_lists([[7, 8]])]))
    [[{'0': 0, '1': 0}, {'0': 0, '1': 1}, {'0': 1, '1': 0}, {'0': 1, '1': 1}]]
    """
    return _cartesian(arrays, axis, nested, capacity, "argcartesian")


def _combinations(
    x: Any, n: int, replacement: bool, axis: int, fields: Sequence[str] | None, capacity: int | None, operation: str
) -> Any:
    if n < 1:
        raise ValueError(f"{operation}: n must be at least 1, not {n}")
    names = [str(i) for i in range(n)] if fields is None else list(fields)
    if len(names) != n:
        raise ValueError(f"{operation}: fields={names} must name {n} places")
    x = as_lists(settle(x))
    level = _level(x, axis, operation)
    if level == 0:
        return _single(_combinations(_one_row(x), n, replacement, 1, names, capacity, operation))
    if level > 1:
        return x.with_content(_combinations(x.content, n, replacement, level - 1, names, capacity, operation))

    length, x = x.length, content_of(x)
    known = concrete(x.offsets) is not None
    longest = x.longest
    bound = None if longest is None else _most_combinations(x.capacity, x.rows, longest, n, replacement)
    step, extra = (0, n - 1) if replacement else (1, 0)
    offsets = structure(x, known)
    room = Room.of(bound, capacity)

    def numbers(length: Any) -> Any:
        number = length * 0 + 1
        for i in range(n):
            number = number * (length + (extra - i)).clip(0) // (i + 1)
        return number

    tuples = Tuples.of_items(x, known).checked(numbers, offsets[1:] - offsets[:-1], room=room, operation=operation)
    for missing in reversed(range(n - 1)):
        begin = tuples.members[-1] + step
        # leave as many items as the later places need
        counts = (at(offsets, tuples.rows + 1) - begin - missing * step).clip(0)
        tuples = tuples.extended(counts, begin, room=room.trusted(), operation=operation)
    others = None if longest is None else math.comb(max(longest - 1, 0) + extra, n - 1)
    result = tuples.records(
        [x] * n,
        names,
        positions=operation.startswith("arg"),
        repeats=[others] * n,
        max_length=None if longest is None else math.comb(longest + extra, n),
        capacity=capacity,
        operation=operation,
    )
    return with_length(result, length)


def _most_combinations(capacity: int, rows: int, longest: int, n: int, replacement: bool) -> int:
    """Return the most choices that rows of at most ``longest`` items, ``capacity`` in all, can have.

    The number of choices grows ever faster with the length of a row, so the worst case is as many full rows as fit.
    """
    extra = n - 1 if replacement else 0
    longest = min(longest, capacity)
    full = min(rows, capacity // longest) if longest else 0
    rest = capacity - full * longest if full < rows else 0
    return full * math.comb(longest + extra, n) + (math.comb(rest + extra, n) if rest else 0)


def _cartesian(
    arrays: Mapping[str, Any] | Sequence[Any],
    axis: int,
    nested: bool | Sequence[int | str] | None,
    capacity: int | None,
    operation: str,
) -> Any:
    named = dict(arrays) if isinstance(arrays, Mapping) else {str(i): x for i, x in enumerate(arrays)}
    names, parts = list(named), [as_lists(settle(x)) for x in named.values()]
    if not parts:
        raise ValueError(f"{operation}: needs at least one array")
    levels = {_level(x, axis, operation) for x in parts}
    if len(levels) > 1:
        raise StructureError(f"{operation}: axis={axis} means different levels of arrays that differ in depth")
    level = levels.pop()
    cuts = _cuts(nested, names, operation)
    if level == 0:
        return _single(_cartesian({k: _one_row(x) for k, x in named.items()}, 1, nested, capacity, operation))
    if level > 1:
        lists, contents = align(parts, operation=operation)
        inner = dict(zip(names, contents, strict=True))
        return lists.with_content(_cartesian(inner, level - 1, nested, capacity, operation))
    if len({x.rows for x in parts}) > 1 and all(x.length is None for x in parts):
        raise StructureError(f"{operation}: cannot broadcast {' with '.join(str(x.rows) for x in parts)} rows")
    rows, tied = common_rows([rows_of(x) for x in parts], operation=operation, offsets=parts[0].offsets)
    parts = [cut(dataclasses.replace(parts[0], offsets=tied), rows), *(cut(x, rows) for x in parts[1:])]

    known = all(concrete(x.offsets) is not None for x in parts)
    offsets = [structure(x, known) for x in parts]
    lengths = [each[1:] - each[:-1] for each in offsets]
    room = Room.of(_most_products(parts), capacity)
    stacked = (np if known else jnp).stack(lengths)
    tuples = Tuples.of_items(parts[0], known)
    tuples = tuples.checked(lambda each: each.prod(axis=0), stacked, room=room, operation=operation)
    for k in range(1, len(parts)):
        counts = lengths[k]
        if not cuts:
            for later in lengths[k + 1 :]:
                counts = counts * (later > 0)
        last = k + 1 == len(parts)
        # lists that are kept may be longer than the result, when arrays after them are empty
        kept = Room.of(_most_products(parts[: k + 1]), None)
        tuples = tuples.extended(
            at(counts, tuples.rows),
            at(offsets[k], tuples.rows),
            room=kept if cuts and not last else room.trusted(),
            operation=operation,
            cut=k - 1 in cuts,
        )
    longest = [x.longest for x in parts]
    result = tuples.records(
        parts,
        names,
        positions=operation.startswith("arg"),
        repeats=[_product(longest[:k] + longest[k + 1 :]) for k in range(len(parts))],
        max_length=_product(longest),
        capacity=capacity,
        operation=operation,
    )
    return with_length(result, rows.length)


def _most_products(parts: Sequence[RaggedArray]) -> int | None:
    """Return the most choices there can be, from what is known of the longest rows."""
    longest = [x.longest for x in parts]
    products = [_product([x.capacity, *longest[:k], *longest[k + 1 :]]) for k, x in enumerate(parts)]
    every = _product(longest)
    bounds = [*products, None if every is None else every * parts[0].rows]
    return min((bound for bound in bounds if bound is not None), default=None)


def _product(factors: Sequence[int | None]) -> int | None:
    known = [factor for factor in factors if factor is not None]
    return math.prod(known) if len(known) == len(factors) else None


def _cuts(nested: bool | Sequence[int | str] | None, names: list[str], operation: str) -> set[int]:
    """Return the places after which a list of its own begins."""
    if nested is None or nested is False:
        return set()
    if nested is True:
        return set(range(len(names) - 1))
    cuts = {names.index(place) if isinstance(place, str) and place in names else place for place in nested}
    if not all(isinstance(place, int) and 0 <= place < len(names) - 1 for place in cuts):
        raise ValueError(
            f"{operation}: nested={list(nested)} must be among {names[:-1]} or {list(range(len(names) - 1))}"
        )
    return {int(place) for place in cuts}


def _level(x: Any, axis: int, operation: str) -> int:
    """Return the list level that ``axis`` means: 0 for the rows themselves, 1 for their items."""
    depth, content = 1, x
    while isinstance(content, RaggedArray):
        depth, content = depth + 1, content.content
    level = axis + depth if axis < 0 else axis
    if not 0 <= level < depth:
        raise StructureError(f"{operation}: axis={axis} does not exist in an array of {depth} dimensions")
    return level


def _one_row(x: Any) -> RaggedArray:
    """Return the rows of ``x`` as the items of a single row (with NumPy's structure, known inside ``jit`` as well)."""
    x = settle(x)
    content, (rows, length) = content_of(x), rows_of(x)
    if length is not None:
        ids = jnp.where(jnp.arange(rows, dtype=jnp.int32) < length, 0, 1)
        return RaggedArray(jnp.stack([jnp.zeros((), jnp.int32), length]), ids, content, None, rows, False)
    offsets: Any = np.array([0, rows], np.int32)
    no_ids: Any = np.zeros(rows, np.int32)
    return RaggedArray(offsets, no_ids, content, None, rows, True)


def _single(rows: RaggedArray) -> Any:
    """Return the only row."""
    return with_length(rows.content, None if rows.exact else rows.size)
