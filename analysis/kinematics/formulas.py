"""The formulas, as pure functions of numbers.

Particle Data Group, Review of Particle Physics, "Kinematics", arranged so that float32 suffices: sums of
positive terms in place of differences of large numbers. Momenta, energies and masses in GeV, angles in radians. The
types (records, collections, `Momentum`) are elsewhere.
"""

from __future__ import annotations

import functools
import itertools
import operator
from typing import TypeAlias

import jax
import jax.numpy as jnp

from .singular import norm, safe_divide

# pt, eta, phi, mass
Collider: TypeAlias = "tuple[jax.Array, jax.Array, jax.Array, jax.Array]"
# px, py, pz, energy
Cartesian: TypeAlias = "tuple[jax.Array, jax.Array, jax.Array, jax.Array]"


def azimuthal_difference(phi1: jax.Array, phi2: jax.Array) -> jax.Array:
    """Return ``phi1 - phi2`` less whole turns, in [-pi, pi]."""
    turns = jnp.round((phi1 - phi2) / (2 * jnp.pi))
    # 2 pi in two parts, the first with few binary digits: nothing is lost where angles of different sign meet at pi
    return (phi1 - 6.28125 * turns) - phi2 - 0.0019353071795864769 * turns


def angular_distance(eta1: jax.Array, phi1: jax.Array, eta2: jax.Array, phi2: jax.Array) -> jax.Array:
    """Return ``sqrt(delta_eta**2 + delta_phi**2)``."""
    return norm(eta1 - eta2, azimuthal_difference(phi1, phi2))


def cartesian(pt: jax.Array, eta: jax.Array, phi: jax.Array, mass: jax.Array) -> Cartesian:
    """Return ``pt cos(phi), pt sin(phi), pt sinh(eta), sqrt(|p|**2 + mass**2)``."""
    eta = _eta_with_pt(pt, eta)
    return pt * jnp.cos(phi), pt * jnp.sin(phi), pt * jnp.sinh(eta), norm(pt * jnp.cosh(eta), mass)


def hyperbolic_angle(longitudinal: jax.Array, transverse: jax.Array) -> jax.Array:
    """Return ``asinh(longitudinal / transverse)``: the pseudorapidity for pT, the rapidity for mT.

    Infinite where only the transverse part vanishes, 0 where both do, with derivative 0 in both cases.
    """
    along = jnp.where(longitudinal == 0, 0, jnp.copysign(jnp.inf, longitudinal))
    return jnp.where(transverse == 0, along, jnp.arcsinh(safe_divide(longitudinal, transverse)))


def azimuth(px: jax.Array, py: jax.Array) -> jax.Array:
    """Return ``atan2(py, px)``; 0 with derivative 0 for a vanishing transverse momentum."""
    nothing = (px == 0) & (py == 0)
    return jnp.where(nothing, 0, jnp.arctan2(py, jnp.where(nothing, 1, px)))


def rapidity(pt: jax.Array, eta: jax.Array, mass: jax.Array) -> jax.Array:
    """Return ``asinh(pz / mT)`` with ``mT**2 = pt**2 + mass**2``, which is ``log((E + pz) / (E - pz)) / 2``."""
    return hyperbolic_angle(pt * jnp.sinh(_eta_with_pt(pt, eta)), norm(pt, mass))


def four_product(a: Collider, b: Collider) -> jax.Array:
    """Return the Minkowski product ``E_a E_b - p_a . p_b`` as a sum of terms that are never negative.

    ``|p_a| |p_b| (1 - cos theta) = pt_a pt_b (cosh(delta_eta) - cos(delta_phi))`` is twice
    ``pt_a pt_b (sinh(delta_eta / 2)**2 + sin(delta_phi / 2)**2)``, and ``E_a E_b - |p_a| |p_b|`` is
    ``(m_a**2 E_b**2 + |p_a|**2 m_b**2) / (E_a E_b + |p_a| |p_b|)``: nothing cancels for light or collinear particles.
    """
    (pt_a, eta_a, phi_a, mass_a), (pt_b, eta_b, phi_b, mass_b) = a, b
    eta_a, eta_b = _eta_with_pt(pt_a, eta_a), _eta_with_pt(pt_b, eta_b)
    opening = jnp.sinh((eta_a - eta_b) / 2) ** 2 + jnp.sin(azimuthal_difference(phi_a, phi_b) / 2) ** 2
    p_a, p_b = pt_a * jnp.cosh(eta_a), pt_b * jnp.cosh(eta_b)
    energy_a, energy_b = norm(p_a, mass_a), norm(p_b, mass_b)
    massive = safe_divide((mass_a * energy_b) ** 2 + (p_a * mass_b) ** 2, energy_a * energy_b + p_a * p_b)
    return 2 * pt_a * pt_b * opening + massive


def system_mass_squared(*particles: Collider) -> jax.Array:
    """Return ``sum_i m_i**2 + 2 sum_{i<j} p_i . p_j``, the squared invariant mass of a system."""
    masses = (particle[3] ** 2 for particle in particles)
    products = (2 * four_product(a, b) for a, b in itertools.combinations(particles, 2))
    return functools.reduce(operator.add, itertools.chain(masses, products))


def boosted_by(
    px: jax.Array, py: jax.Array, pz: jax.Array, energy: jax.Array, bx: jax.Array, by: jax.Array, bz: jax.Array
) -> Cartesian:
    """Return a momentum seen from where what was at rest moves with velocity ``(bx, by, bz)``, in units of c.

    NaN, with derivative 0, for velocities of 1 and above.
    """
    beta2 = bx**2 + by**2 + bz**2
    possible = beta2 < 1
    gamma = 1 / jnp.sqrt(jnp.where(possible, 1 - beta2, 1))
    along = bx * px + by * py + bz * pz
    # gamma**2 / (gamma + 1) is (gamma - 1) / beta**2 without its 0 / 0
    factor = gamma * (gamma * along / (gamma + 1) + energy)
    boosted = px + factor * bx, py + factor * by, pz + factor * bz, gamma * (energy + along)
    px, py, pz, energy = (jnp.where(possible, component, jnp.nan) for component in boosted)
    return px, py, pz, energy


def in_rest_frame(
    px: jax.Array,
    py: jax.Array,
    pz: jax.Array,
    energy: jax.Array,
    frame_px: jax.Array,
    frame_py: jax.Array,
    frame_pz: jax.Array,
    frame_energy: jax.Array,
) -> Cartesian:
    """Return a momentum in the rest frame of another; unchanged where that is massless.

    With ``P`` the frame's momentum and ``M`` its mass, ``E* = (E_P E - P . p) / M`` and
    ``p* = p - P (E + E*) / (E_P + M)``: no velocity appears, whose difference from 1 float32 would lose.
    """
    mass2 = frame_energy**2 - frame_px**2 - frame_py**2 - frame_pz**2
    possible = mass2 > 0
    mass = jnp.sqrt(jnp.where(possible, mass2, 1))
    rest_energy = (frame_energy * energy - frame_px * px - frame_py * py - frame_pz * pz) / mass
    factor = jnp.where(possible, (energy + rest_energy) / jnp.where(possible, frame_energy + mass, 1), 0)
    energy = jnp.where(possible, rest_energy, energy)
    return px - frame_px * factor, py - frame_py * factor, pz - frame_pz * factor, energy


def _eta_with_pt(pt: jax.Array, eta: jax.Array) -> jax.Array:
    """Return ``eta``, or 0 where it is infinite because ``pt`` is 0: ``0 * inf`` would be NaN."""
    return jnp.where((pt == 0) & jnp.isinf(eta), 0, eta)
