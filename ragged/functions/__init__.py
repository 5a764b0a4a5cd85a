"""Functions of numbers, item by item: NumPy's names, broadcasting, and what Awkward has and JAX has not."""

from __future__ import annotations
