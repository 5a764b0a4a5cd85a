"""Transverse masses: of a lepton and missing momentum, and of any system and missing momentum."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

from . import formulas
from .fields import take_fields
from .singular import safe_sqrt


def transverse_mass(lepton: Any, missing: Any) -> Any:
    """Return the transverse mass of a light particle and the missing momentum, in GeV.

    ``mT**2 = 2 pT_1 pT_2 (1 - cos(delta_phi)) = 4 pT_1 pT_2 sin(delta_phi / 2)**2``, both taken as massless. For
    leptons from W decays the distribution ends at the mass of the W. The derivative is 0 where mT is.

    Parameters
    ----------
    lepton
        A collection, ragged records, one record per event, or a `Momentum`: anything with ``pt`` and ``phi``.
    missing
        As ``lepton``, usually one record per event, ``events.MET``.

    Raises
    ------
    TypeError
        When fields are missing.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis.kinematics import transverse_mass
    >>> muons = rg.from_lists([[{"pt": 40.0, "phi": 0.0}], []])
    >>> met = rg.zip({"pt": rg.from_numpy([40.0, 30.0]), "phi": rg.from_numpy([3.1415927, 0.0])})
    >>> rg.to_list(transverse_mass(muons, met))
    [[80.0], []]
    """
    names = ("pt", "phi")
    first, second = (take_fields(each, names, operation="transverse_mass") for each in (lepton, missing))
    return rg.apply(_massless, *first, *second, operation="transverse_mass")


def system_transverse_mass(visible: Any, missing: Any) -> Any:
    """Return the transverse mass of a system of any mass and the (massless) missing momentum, in GeV.

    ``MT**2 = (ET_1 + ET_2)**2 - (pT_1 + pT_2)**2 = m**2 + 2 (ET_1 pT_2 - pT_1 . pT_2)`` with ``ET_1**2 = m**2 +
    pT_1**2`` (PDG, "Kinematics", single production with a semi-invisible final state); ``ET_1 - pT_1 = m**2 / (ET_1 +
    pT_1)`` keeps it accurate in float32. It is never larger than the invariant mass, whatever the longitudinal
    momentum of the missing particle.

    Parameters
    ----------
    visible
        A collection, ragged records, one record per event with ``pt``, ``phi`` and ``mass``, or a `Momentum`, such as
        a sum.
    missing
        Anything with ``pt`` and ``phi``, usually ``events.MET``.

    Raises
    ------
    TypeError
        When fields are missing.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad import ragged as rg
    >>> from hepgrad.analysis.kinematics import momentum, system_transverse_mass
    >>> dilepton = momentum(jnp.array([0.0]), jnp.array([0.5]), jnp.array([0.0]), jnp.array([80.0]))
    >>> print(system_transverse_mass(dilepton, rg.zip({"pt": jnp.array([20.0]), "phi": jnp.array([1.0])})))
    [97.97959]
    """
    first = take_fields(visible, ("pt", "phi", "mass"), operation="system_transverse_mass")
    second = take_fields(missing, ("pt", "phi"), operation="system_transverse_mass")
    return rg.apply(_massive, *first, *second, operation="system_transverse_mass")


def _massless(pt1: jax.Array, phi1: jax.Array, pt2: jax.Array, phi2: jax.Array) -> jax.Array:
    return safe_sqrt(4 * pt1 * pt2 * jnp.sin(formulas.azimuthal_difference(phi1, phi2) / 2) ** 2)


def _massive(pt1: jax.Array, phi1: jax.Array, mass: jax.Array, pt2: jax.Array, phi2: jax.Array) -> jax.Array:
    # in the transverse plane it is an invariant mass
    return safe_sqrt(formulas.system_mass_squared((pt1, 0 * pt1, phi1, mass), (pt2, 0 * pt2, phi2, 0 * pt2)))
