"""Particles reconstructed from several objects of an event: systems, their choice, top quarks and top pairs.

The functions take collections (`hepgrad.analysis.Objects`) and use the formulas of `hepgrad.analysis.kinematics`.
"""

from __future__ import annotations

from .choice import nearest_in_mass, smooth_choice
from .object_systems import joint_systems, systems
from .three_jets import trijets
from .top_pair_assignment import TopMasses, top_pairs
from .total_momenta import leading_momentum, total_momentum

__all__ = [
    "TopMasses",
    "joint_systems",
    "leading_momentum",
    "nearest_in_mass",
    "smooth_choice",
    "systems",
    "top_pairs",
    "total_momentum",
    "trijets",
]


def __dir__() -> list[str]:
    return __all__
