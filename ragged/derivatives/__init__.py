"""Derivatives with respect to ragged arrays, and their comparison with finite differences."""

from __future__ import annotations
