"""Indexing: integers, slices, masks and ragged indices, all of them one gather."""

from __future__ import annotations
