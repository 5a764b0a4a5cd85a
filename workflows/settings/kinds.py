"""What kind of value a setting has: a file or a command line may say anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .ranges import is_finite

# of a parameter
SWITCHES, TEXTS = ("frozen", "nested", "whole"), ("unit", "label", "description")


def text(value: Any, where: str) -> str:
    """Return a text.

    Raises `ValueError` when it is none, or empty where that means nothing.
    """
    if not isinstance(value, str) or (where == "data" and not value) or "\0" in value:
        raise ValueError(f"{where}: expected a text, got {value!r}")
    return value


def one_of(words: Sequence[str], value: Any, where: str) -> str:
    """Return one of some words.

    Raises `ValueError` when it is another one.
    """
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{where} must be {' or '.join(map(repr, words))}, got {value!r}")
    return value


def names(value: Any, where: str) -> tuple[str, ...]:
    """Return some names.

    Raises `ValueError` when it is no list of names, or an empty one.
    """
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        raise ValueError(f"{where}: expected a list of names, got {value!r}")
    return tuple(value)


def table_of_numbers(table: Mapping[str, Any], where: str) -> None:
    """Raise an error unless all values of a table are finite numbers.

    The error names the setting.
    """
    for key, value in table.items():
        if not _finite(value):
            raise ValueError(f"{where}.{key}: expected a number, got {value!r}")


def check_entry(entry: Mapping[str, Any], where: str) -> None:
    """Raise an error when a field of a parameter has another kind of value than it should.

    The error names the field.
    """
    for key, value in entry.items():
        if key in SWITCHES and not isinstance(value, bool):
            raise ValueError(f"{where}.{key}: expected true or false, got {value!r}")
        if key in TEXTS:
            text(value, f"{where}.{key}")
        if key not in (*SWITCHES, *TEXTS) and not _numbers(value):
            raise ValueError(f"{where}.{key}: expected numbers, got {value!r}")


def _numbers(value: Any) -> bool:
    return (bool(value) and all(map(_numbers, value))) if isinstance(value, list) else _finite(value)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and is_finite(value)
