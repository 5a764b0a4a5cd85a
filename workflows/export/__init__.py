"""The optimised selection as a script in plain Awkward Array, for those who do not have hepgrad."""

from __future__ import annotations

from .script import selection_script
from .writing import Exported, write_selection

__all__ = [
    "Exported",
    "selection_script",
    "write_selection",
]


def __dir__() -> list[str]:
    return __all__
