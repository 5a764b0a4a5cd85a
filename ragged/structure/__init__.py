"""The shape of ragged arrays: list levels, padding, joining, sorting and combinatorics."""

from __future__ import annotations
