"""What was read from files, kept as memory-mapped columns for the next time."""

from __future__ import annotations

from .cache import Cache as Cache
from .entry import Entry as Entry
from .parquet import export_parquet as export_parquet
