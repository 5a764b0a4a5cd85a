"""Taggers that were trained elsewhere, as networks for `Score`."""

from __future__ import annotations
