"""The optimised selection as a script in plain Awkward Array, for those who do not have hepgrad."""

from __future__ import annotations

from .script import selection_script, write_selection

__all__ = [
    "selection_script",
    "write_selection",
]


def __dir__() -> list[str]:
    return __all__
