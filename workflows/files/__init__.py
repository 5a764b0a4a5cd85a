"""Writing files whole or not at all, one writer at a time, under names that every system can hold."""

from __future__ import annotations
