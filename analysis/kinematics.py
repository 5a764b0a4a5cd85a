"""Kinematics of massless and massive particles in collider coordinates, as plain functions of arrays.

All momenta and masses in GeV, angles in radians. Formulas: Particle Data Group, Review of Particle Physics,
"Kinematics".
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from .events import Objects


def delta_phi(phi1: jax.Array, phi2: jax.Array) -> jax.Array:
    """Return the signed difference of two azimuthal angles, in [-pi, pi).

    Parameters
    ----------
    phi1, phi2
        Angles in radians, broadcastable.

    Examples
    --------
    >>> from hepgrad.analysis.kinematics import delta_phi
    >>> import jax.numpy as jnp
    >>> print(f"{delta_phi(jnp.float32(3.0), jnp.float32(-3.0)):.4f}")
    -0.2832
    """
    return jnp.remainder(phi1 - phi2 + jnp.pi, 2 * jnp.pi) - jnp.pi


def delta_r(eta1: jax.Array, phi1: jax.Array, eta2: jax.Array, phi2: jax.Array) -> jax.Array:
    """Return the angular distance ``sqrt(delta_eta**2 + delta_phi**2)``, with derivative 0 where it vanishes.

    Parameters
    ----------
    eta1, eta2
        Pseudorapidities.
    phi1, phi2
        Azimuthal angles in radians.
    """
    return safe_sqrt((eta1 - eta2) ** 2 + delta_phi(phi1, phi2) ** 2)


def safe_sqrt(x: jax.Array) -> jax.Array:
    """Return ``sqrt(max(x, 0))`` with derivative 0 where ``x <= 0``.

    Parameters
    ----------
    x
        Any real numbers.
    """
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), 0)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Momentum:
    """A four-momentum in Cartesian components, in GeV.

    Attributes
    ----------
    px, py, pz, energy
        Arrays of one shape.
    """

    px: jax.Array
    py: jax.Array
    pz: jax.Array
    energy: jax.Array

    def __add__(self, other: Momentum) -> Momentum:
        return jax.tree.map(jnp.add, self, other)

    @property
    def mass(self) -> jax.Array:
        """The invariant mass ``sqrt(E**2 - |p|**2)``; 0 where rounding makes its square negative."""
        return safe_sqrt(self.energy**2 - self.px**2 - self.py**2 - self.pz**2)


def momentum(pt: jax.Array, eta: jax.Array, phi: jax.Array, mass: jax.Array) -> Momentum:
    """Return the four-momentum of a particle given in collider coordinates.

    Parameters
    ----------
    pt, mass
        In GeV.
    eta, phi
        Pseudorapidity and azimuth (radians).

    Examples
    --------
    >>> from hepgrad.analysis.kinematics import momentum
    >>> import jax.numpy as jnp
    >>> p = momentum(jnp.float32(3.0), jnp.float32(0.0), jnp.float32(0.0), jnp.float32(4.0))
    >>> print(p.energy, p.mass)
    5.0 4.0
    """
    px, py, pz = pt * jnp.cos(phi), pt * jnp.sin(phi), pt * jnp.sinh(eta)
    return Momentum(px, py, pz, safe_sqrt(px**2 + py**2 + pz**2 + mass**2))


def neutrino_from_w(lepton: Momentum, met_pt: jax.Array, met_phi: jax.Array, w_mass: float = 80.4) -> Momentum:
    """Return the neutrino of a leptonic W decay, whose transverse momentum is the missing one.

    With ``mu = w_mass**2 / 2 + pT(lepton) . pT(nu)`` the mass constraint is quadratic in the longitudinal momentum,
    ``pz = (mu pz_l +- E_l sqrt(mu**2 - pT_l**2 pT_nu**2)) / pT_l**2``. The solution of smaller ``|pz|`` is taken, and
    the real part where the solutions are complex (the usual choice in top-quark analyses).

    Parameters
    ----------
    lepton
        The charged lepton, taken as massless.
    met_pt, met_phi
        Missing transverse momentum (GeV) and its azimuth.
    w_mass
        In GeV.
    """
    px, py = met_pt * jnp.cos(met_phi), met_pt * jnp.sin(met_phi)
    pt2 = lepton.px**2 + lepton.py**2
    pt2 = jnp.where(pt2 > 0, pt2, 1)
    mu = w_mass**2 / 2 + lepton.px * px + lepton.py * py
    centre = mu * lepton.pz / pt2
    spread = safe_sqrt(mu**2 - pt2 * met_pt**2) * lepton.energy / pt2
    pz = jnp.where(centre > 0, centre - spread, centre + spread)
    return Momentum(px, py, pz, safe_sqrt(px**2 + py**2 + pz**2))


def leading_momentum(objects: Objects, *, fill_value: float | None = None) -> Momentum:
    """Return the expected four-momentum of the leading selected object, per event.

    Parameters
    ----------
    objects
        A collection with the fields ``pt``, ``eta``, ``phi`` and ``mass``.
    fill_value
        As for `Objects.leading`: 0.0 lets an object that may be missing contribute with its probability.
    """
    px = objects.pt * np.cos(objects.phi)
    py = objects.pt * np.sin(objects.phi)
    pz = objects.pt * np.sinh(objects.eta)
    energy = rg.apply(safe_sqrt, px**2 + py**2 + pz**2 + objects.mass**2)
    cartesian = objects.with_field(px=px, py=py, pz=pz, energy=energy)
    return Momentum(*(cartesian.leading(name, fill_value=fill_value) for name in ("px", "py", "pz", "energy")))
