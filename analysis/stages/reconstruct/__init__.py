"""Stages that reconstruct particles from their decay products."""

from __future__ import annotations
