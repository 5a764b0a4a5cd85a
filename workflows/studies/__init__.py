"""Benchmarks of the literature, beside their published numbers."""

from __future__ import annotations
