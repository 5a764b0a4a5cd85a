"""Stages and networks whose weights are optimised together with the cuts."""

from __future__ import annotations
