"""The invariant mass of a system of particles, without the cancellations of ``E**2 - |p|**2``."""

from __future__ import annotations

import functools
import operator
from typing import Any

import jax

from hepgrad import ragged as rg

from . import formulas
from .fields import COLLIDER, has_fields, take_fields
from .momenta import Momentum
from .singular import safe_sqrt


def invariant_mass(*particles: Any) -> Any:
    """Return the invariant mass of systems that consist of one particle of each argument, in GeV.

    ``M**2 = sum_i m_i**2 + 2 sum_{i<j} p_i . p_j``, where each product is a sum of terms that are never negative,
    ``p_1 . p_2 = pT_1 pT_2 (cosh(delta_eta) - cos(delta_phi)) + (m_1**2 E_2**2 + |p_1|**2 m_2**2) / (E_1 E_2 + |p_1|
    |p_2|)`` (for massless particles the textbook's ``M**2 = 2 pT_1 pT_2 (cosh(delta_eta) - cos(delta_phi))``). In
    float32 the relative error is a few 1e-7, also for nearly collinear light particles; the derivative is 0 where M
    is.

    Parameters
    ----------
    *particles
        Collections, ragged records or one record per event with the fields ``pt``, ``eta``, ``phi`` and ``mass``; one
        per event broadcasts against one per object. When one of the arguments has Cartesian components (a `Momentum`,
        or ``px``, ``py``, ``pz``, ``energy``), the result is the mass of the sum, with the accuracy of
        `Momentum.mass`.

    Raises
    ------
    TypeError
        When fields are missing.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis.kinematics import invariant_mass
    >>> muon = {"eta": 0.0, "mass": 0.0}
    >>> muons = rg.from_lists([[{"pt": 20.0, "phi": 0.0, **muon}, {"pt": 45.0, "phi": 3.1415927, **muon}]])
    >>> invariant_mass(muons[:, 0], muons[:, 1])
    Array([60.], dtype=float32)
    """
    if not all(has_fields(particle, COLLIDER) for particle in particles):
        return functools.reduce(operator.add, map(Momentum.of, particles)).mass
    fields = [take_fields(particle, COLLIDER, operation="invariant_mass") for particle in particles]

    def mass(*values: jax.Array) -> jax.Array:
        of_each = [values[i : i + len(COLLIDER)] for i in range(0, len(values), len(COLLIDER))]
        return safe_sqrt(formulas.system_mass_squared(*of_each))  # type: ignore[arg-type]

    return rg.apply(mass, *(value for values in fields for value in values), operation="invariant_mass")
