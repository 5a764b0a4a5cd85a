"""The run folder: what a run leaves, written and read back."""

from __future__ import annotations
