"""How far an optimum can be trusted, in plots: cuts that are moved, repeated searches, cuts that are left out."""

from __future__ import annotations

from .section import stability_plots, stability_tables, stored_stability

__all__ = [
    "stability_plots",
    "stability_tables",
    "stored_stability",
]


def __dir__() -> list[str]:
    return __all__
