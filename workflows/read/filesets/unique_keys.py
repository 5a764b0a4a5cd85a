"""JSON in which no key is there twice: the reader of the standard library keeps the last one without a word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import InputError


def without_repetitions(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of a JSON file, as a hook for `json.loads`.

    Raises `InputError` when a key is there twice, of which JSON keeps the last one only.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InputError(f"the key {key!r} is there twice, with {_short(found[key])} and {_short(value)}; keep one")
        found[key] = value
    return found


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."
