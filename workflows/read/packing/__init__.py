"""From flat columns to blocks of equal shape."""

from __future__ import annotations
