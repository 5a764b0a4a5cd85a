"""Histograms with gradients: one axis definition, a soft and a hard way to fill it."""

from __future__ import annotations

from .axis import Axis, Regular, Variable
from .convert import from_hist, to_hist
from .counts import Counts
from .hard import fill_hard
from .kernel import Biweight, Gaussian, Kernel
from .movable_edges import free_of_edges, ordered_edges
from .soft import DEFAULT_KERNEL, fill_soft

__all__ = [
    "DEFAULT_KERNEL",
    "Axis",
    "Biweight",
    "Counts",
    "Gaussian",
    "Kernel",
    "Regular",
    "Variable",
    "fill_hard",
    "fill_soft",
    "free_of_edges",
    "from_hist",
    "ordered_edges",
    "to_hist",
]


def __dir__() -> list[str]:
    return __all__
