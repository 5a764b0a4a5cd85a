"""Events as data: blocks, parts that share no event, shards, and what identifies them. Knows no analysis."""

from __future__ import annotations
