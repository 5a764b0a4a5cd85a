"""Angles between directions, over flat and ragged arrays."""

from __future__ import annotations

from typing import Any

from hepgrad import ragged as rg

from ..selection.cut import Values
from . import formulas


def delta_phi(phi1: Values, phi2: Values) -> Any:
    """Return the signed difference of two azimuthal angles, in [-pi, pi].

    Small differences keep their full precision, also where the angles of different sign meet at pi.

    Parameters
    ----------
    phi1, phi2
        Angles in radians, flat or ragged; one value per event goes to all objects of the event.

    Examples
    --------
    >>> from hepgrad.analysis.kinematics import delta_phi
    >>> import jax.numpy as jnp
    >>> print(f"{delta_phi(jnp.float32(3.0), jnp.float32(-3.0)):.4f}")
    -0.2832
    """
    return rg.apply(formulas.azimuthal_difference, phi1, phi2, operation="delta_phi")


def delta_r(eta1: Values, phi1: Values, eta2: Values, phi2: Values) -> Any:
    """Return the angular distance ``sqrt(delta_eta**2 + delta_phi**2)``, with derivative 0 where it vanishes.

    Parameters
    ----------
    eta1, eta2
        Pseudorapidities, flat or ragged; one value per event goes to all objects of the event.
    phi1, phi2
        Azimuthal angles in radians.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis.kinematics import delta_r
    >>> jets = rg.from_lists([[{"eta": 0.0, "phi": 1.0}, {"eta": 3.0, "phi": -3.0}], []])
    >>> rg.to_list(delta_r(jets.eta, jets.phi, rg.from_numpy([0.0, 0.0]), rg.from_numpy([1.5, 0.0])))
    [[0.5, 3.4899...], []]
    """
    return rg.apply(formulas.angular_distance, eta1, phi1, eta2, phi2, operation="delta_r")
