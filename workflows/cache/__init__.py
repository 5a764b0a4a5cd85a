"""What was read from files, kept as memory-mapped columns for the next time."""

from __future__ import annotations

from .cache import Cache
from .entry import Entry
from .parquet import export_parquet

__all__ = [
    "Cache",
    "Entry",
    "export_parquet",
]


def __dir__() -> list[str]:
    return __all__
