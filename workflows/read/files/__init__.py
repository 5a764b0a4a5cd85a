"""Files and trees: paths, sizes, and reading chunk by chunk."""

from __future__ import annotations
