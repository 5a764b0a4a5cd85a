"""Cuts in their readings, and the objects and events that they select."""

from __future__ import annotations
