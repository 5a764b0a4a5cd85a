"""Kinematics of particles in collider coordinates, differentiable everywhere, over flat and ragged arrays.

Momenta, energies and masses in GeV, angles in radians. Formulas: Particle Data Group, Review of Particle Physics,
"Kinematics". Functions take numbers (`delta_r`), or particles: collections, ragged records, records per event with the
fields ``pt``, ``eta``, ``phi`` and ``mass``, and `Momentum` for what is added and boosted.
"""

from __future__ import annotations

from .angles import delta_phi as delta_phi
from .angles import delta_r as delta_r
from .boosts import boost as boost
from .boosts import cos_decay_angle as cos_decay_angle
from .boosts import to_rest_frame as to_rest_frame
from .boosts import velocity as velocity
from .masses import invariant_mass as invariant_mass
from .momenta import Momentum as Momentum
from .momenta import momentum as momentum
from .momenta import rapidity as rapidity
from .neutrino import neutrino_from_w as neutrino_from_w
from .singular import safe_divide as safe_divide
from .singular import safe_sqrt as safe_sqrt
from .transverse import system_transverse_mass as system_transverse_mass
from .transverse import transverse_mass as transverse_mass
