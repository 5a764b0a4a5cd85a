"""Reducers: sums, products, extremes, moments and positions of groups of items."""

from __future__ import annotations
