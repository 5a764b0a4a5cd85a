"""How far an optimum can be trusted, in plots: cuts that are moved, repeated searches, cuts that are left out."""

from __future__ import annotations
