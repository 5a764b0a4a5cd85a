"""Checks inside compiled programs, as values that whoever runs the program collects and raises."""

from __future__ import annotations
