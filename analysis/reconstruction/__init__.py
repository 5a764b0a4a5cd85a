"""Particles reconstructed from several objects of an event: systems, their choice, top quarks and top pairs.

The functions take collections (`hepgrad.analysis.Objects`) and use the formulas of `hepgrad.analysis.kinematics`.
"""

from __future__ import annotations

from .choice import nearest_in_mass as nearest_in_mass
from .choice import smooth_choice as smooth_choice
from .object_systems import joint_systems as joint_systems
from .object_systems import systems as systems
from .three_jets import trijets as trijets
from .top_pair_assignment import TopMasses as TopMasses
from .top_pair_assignment import top_pairs as top_pairs
from .total_momenta import leading_momentum as leading_momentum
from .total_momenta import total_momentum as total_momentum
