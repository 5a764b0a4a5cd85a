"""What is given where something of another kind is expected, in words: before it fails somewhere else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

Part = TypeVar("Part")


def check_kind(what: str, given: Any, kind: Any, example: str) -> None:
    """Raise `TypeError` for something of another kind; the example is what to write.

    Examples
    --------
    >>> from hepgrad.analysis.kinds import check_kind
    >>> check_kind("bins", "4", int, "bins=4")
    Traceback (most recent call last):
    TypeError: bins: expected int, got '4' (str); write for instance bins=4
    """
    if not isinstance(given, kind):
        wanted = getattr(kind, "__name__", str(kind))
        raise TypeError(f"{what}: expected {wanted}, got {_told(given)}; write for instance {example}")


def listed(what: str, given: Iterable[Part], kind: type[Any] | tuple[str, ...], example: str) -> tuple[Part, ...]:
    """Return a list as a tuple, of which each item is of a kind, or has some attributes.

    Raises `TypeError` for one item in place of the list, and for items of another kind.

    Examples
    --------
    >>> from hepgrad.analysis.kinds import listed
    >>> listed("bins", [1, 2], int, "bins=[1, 2]")
    (1, 2)
    >>> listed("bins", 3, int, "bins=[1, 2]")
    Traceback (most recent call last):
    TypeError: bins: expected a list, got 3 (int); write for instance bins=[1, 2]
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"{what}: expected a list, got {_told(given)}; write for instance {example}")
    items = tuple(given)
    for number, item in enumerate(items):
        fits = all(hasattr(item, each) for each in kind) if isinstance(kind, tuple) else isinstance(item, kind)
        if not fits:
            raise TypeError(f"{what}: number {number} is {_told(item)}; write for instance {example}")
    return items


def _told(given: Any) -> str:
    shown = repr(given)
    return f"{shown if len(shown) < 40 else f'{shown[:37]}...'} ({type(given).__name__})"
