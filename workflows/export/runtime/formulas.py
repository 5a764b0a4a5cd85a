"""Kinematics in plain Awkward Array: four-momenta in GeV, angles in radians."""

from __future__ import annotations

import functools
import itertools
import operator
import types

import awkward as ak
import numpy as np

COLLIDER = ("pt", "eta", "phi", "mass")


def _where(condition, x, y):
    x, y = (np.float32(each) if isinstance(each, int | float) else each for each in (x, y))
    arrays = any(isinstance(each, ak.Array) for each in (condition, x, y))
    return (ak.where if arrays else np.where)(condition, x, y)


def safe_sqrt(x):
    return np.sqrt(np.maximum(x, 0))


def safe_divide(x, y):
    nothing = y == 0
    return _where(nothing, 0, x / _where(nothing, 1, y))


def _norm(*components):
    return np.sqrt(sum(x**2 for x in components))


def _hyperbolic_angle(longitudinal, transverse):
    along = _where(longitudinal == 0, 0, _where(longitudinal > 0, np.inf, -np.inf))
    return _where(transverse == 0, along, np.arcsinh(safe_divide(longitudinal, transverse)))


class Momentum:
    """Four-momenta, in GeV."""

    def __init__(self, px, py, pz, energy):
        self.px, self.py, self.pz, self.energy = px, py, pz, energy

    @classmethod
    def of(cls, particle):
        if isinstance(particle, Momentum):
            return particle
        for energy in ("energy", "E"):
            if {"px", "py", "pz", energy} <= set(particle.fields):
                return cls(*(getattr(particle, name) for name in ("px", "py", "pz", energy)))
        return momentum(*(getattr(particle, name) for name in COLLIDER))

    def to_records(self):
        return ak.zip({name: getattr(self, name) for name in COLLIDER})

    def __add__(self, other):
        return Momentum(*map(operator.add, self.components, other.components))

    def __sub__(self, other):
        return Momentum(*map(operator.sub, self.components, other.components))

    @property
    def components(self):
        return self.px, self.py, self.pz, self.energy

    @property
    def pt(self):
        return _norm(self.px, self.py)

    @property
    def p(self):
        return _norm(self.px, self.py, self.pz)

    @property
    def eta(self):
        return _hyperbolic_angle(self.pz, self.pt)

    @property
    def phi(self):
        return np.arctan2(self.py, self.px)

    @property
    def mass(self):
        return safe_sqrt(self.mass_squared)

    @property
    def mass_squared(self):
        return self.energy**2 - self.px**2 - self.py**2 - self.pz**2

    @property
    def transverse_mass(self):
        return safe_sqrt((self.energy - self.pz) * (self.energy + self.pz))

    @property
    def rapidity(self):
        return _hyperbolic_angle(self.pz, self.transverse_mass)


def _sides(pt, eta):
    """Return eta, or 0 where it is infinite because pt is 0."""
    return _where((pt == 0) & np.isinf(eta), 0, eta)


def momentum(pt, eta, phi, mass):
    eta = _sides(pt, eta)
    return Momentum(pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), _norm(pt * np.cosh(eta), mass))


def rapidity(pt, eta, mass):
    return _hyperbolic_angle(pt * np.sinh(_sides(pt, eta)), _norm(pt, mass))


def delta_phi(phi1, phi2):
    turns = np.round((phi1 - phi2) / (2 * np.pi))
    return (phi1 - 6.28125 * turns) - phi2 - 0.0019353071795864769 * turns


def delta_r(eta1, phi1, eta2, phi2):
    return _norm(eta1 - eta2, delta_phi(phi1, phi2))


def _four_product(a, b):
    """Return E E' - p p' as a sum in which nothing cancels."""
    (pt_a, eta_a, phi_a, mass_a), (pt_b, eta_b, phi_b, mass_b) = a, b
    eta_a, eta_b = _sides(pt_a, eta_a), _sides(pt_b, eta_b)
    opening = np.sinh((eta_a - eta_b) / 2) ** 2 + np.sin(delta_phi(phi_a, phi_b) / 2) ** 2
    p_a, p_b = pt_a * np.cosh(eta_a), pt_b * np.cosh(eta_b)
    energy_a, energy_b = _norm(p_a, mass_a), _norm(p_b, mass_b)
    massive = safe_divide((mass_a * energy_b) ** 2 + (p_a * mass_b) ** 2, energy_a * energy_b + p_a * p_b)
    return 2 * pt_a * pt_b * opening + massive


def _system_mass(*particles):
    masses = (particle[3] ** 2 for particle in particles)
    products = (2 * _four_product(a, b) for a, b in itertools.combinations(particles, 2))
    return safe_sqrt(functools.reduce(operator.add, itertools.chain(masses, products)))


def invariant_mass(*particles):
    if not all(set(COLLIDER) <= set(getattr(particle, "fields", ())) for particle in particles):
        return functools.reduce(operator.add, map(Momentum.of, particles)).mass
    return _system_mass(*([getattr(particle, name) for name in COLLIDER] for particle in particles))


def velocity(p):
    return tuple(safe_divide(part, p.energy) for part in (p.px, p.py, p.pz))


def boost(p, bx, by, bz):
    beta2 = bx**2 + by**2 + bz**2
    gamma = _where(beta2 < 1, 1 / np.sqrt(_where(beta2 < 1, 1 - beta2, 1)), np.nan)
    along = bx * p.px + by * p.py + bz * p.pz
    factor = gamma * (gamma * along / (gamma + 1) + p.energy)
    return Momentum(p.px + factor * bx, p.py + factor * by, p.pz + factor * bz, gamma * (p.energy + along))


def to_rest_frame(p, frame):
    mass2 = frame.mass_squared
    possible = mass2 > 0
    mass = np.sqrt(_where(possible, mass2, 1))
    energy = (frame.energy * p.energy - frame.px * p.px - frame.py * p.py - frame.pz * p.pz) / mass
    factor = _where(possible, (p.energy + energy) / _where(possible, frame.energy + mass, 1), 0)
    parts = (p.px - frame.px * factor, p.py - frame.py * factor, p.pz - frame.pz * factor)
    return Momentum(*parts, _where(possible, energy, p.energy))


def cos_decay_angle(daughter, parent):
    at_rest = to_rest_frame(daughter, parent)
    product = at_rest.px * parent.px + at_rest.py * parent.py + at_rest.pz * parent.pz
    return safe_divide(product, at_rest.p * parent.p)


def neutrino_from_w(lepton, met_pt, met_phi, w_mass=80.4):
    nx, ny = met_pt * np.cos(met_phi), met_pt * np.sin(met_phi)
    pt = lepton.pt
    mu = w_mass**2 / 2 + lepton.px * nx + lepton.py * ny
    spread = lepton.energy * safe_sqrt((mu - pt * met_pt) * (mu + pt * met_pt))
    centre = mu * lepton.pz
    nz = safe_divide(_where(centre > 0, centre - spread, centre + spread), pt**2)
    return Momentum(nx, ny, nz, _norm(met_pt, nz))


def transverse_mass(lepton, missing):
    return safe_sqrt(4 * lepton.pt * missing.pt * np.sin(delta_phi(lepton.phi, missing.phi) / 2) ** 2)


def system_transverse_mass(visible, missing):
    first = (visible.pt, 0 * visible.pt, visible.phi, visible.mass)
    return _system_mass(first, (missing.pt, 0 * missing.pt, missing.phi, 0 * missing.pt))


def window(x, low, high):
    return (x > low) & (x < high)


kinematics = types.SimpleNamespace(
    Momentum=Momentum,
    boost=boost,
    cos_decay_angle=cos_decay_angle,
    delta_phi=delta_phi,
    delta_r=delta_r,
    invariant_mass=invariant_mass,
    momentum=momentum,
    neutrino_from_w=neutrino_from_w,
    rapidity=rapidity,
    safe_divide=safe_divide,
    safe_sqrt=safe_sqrt,
    system_transverse_mass=system_transverse_mass,
    to_rest_frame=to_rest_frame,
    transverse_mass=transverse_mass,
    velocity=velocity,
)
