"""Control plots of the report: columns before and after each named cut."""

from __future__ import annotations

from .drawing import control_plots

__all__ = [
    "control_plots",
]


def __dir__() -> list[str]:
    return __all__
