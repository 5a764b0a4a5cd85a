"""The analyses that come with hepgrad."""

from __future__ import annotations
