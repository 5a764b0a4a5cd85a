"""Kinematics of particles in collider coordinates, differentiable everywhere, over flat and ragged arrays.

Momenta, energies and masses in GeV, angles in radians. Formulas: Particle Data Group, Review of Particle Physics,
"Kinematics". Functions take numbers (`delta_r`), or particles: collections, ragged records, records per event with the
fields ``pt``, ``eta``, ``phi`` and ``mass``, and `Momentum` for what is added and boosted.
"""

from __future__ import annotations

from .angles import delta_phi, delta_r
from .boosts import boost, cos_decay_angle, to_rest_frame, velocity
from .masses import invariant_mass
from .momenta import Momentum, momentum, rapidity
from .neutrino import neutrino_from_w
from .singular import safe_divide, safe_sqrt
from .transverse import system_transverse_mass, transverse_mass

__all__ = [
    "Momentum",
    "boost",
    "cos_decay_angle",
    "delta_phi",
    "delta_r",
    "invariant_mass",
    "momentum",
    "neutrino_from_w",
    "rapidity",
    "safe_divide",
    "safe_sqrt",
    "system_transverse_mass",
    "to_rest_frame",
    "transverse_mass",
    "velocity",
]


def __dir__() -> list[str]:
    return __all__
