"""Kinematics in plain Awkward Array: four-momenta in GeV, angles in radians."""

# a script reads better without types and with few docstrings
# ruff: noqa: ANN001, ANN201, ANN204, ANN206, D102, D103
# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return, var-annotated, no-redef"

from __future__ import annotations

import awkward as ak
import numpy as np


class Momentum:
    """Four-momenta, in GeV."""

    def __init__(self, px, py, pz, energy):
        self.px, self.py, self.pz, self.energy = px, py, pz, energy

    @classmethod
    def of(cls, particle):
        return momentum(particle.pt, particle.eta, particle.phi, particle.mass)

    def __add__(self, other):
        return Momentum(self.px + other.px, self.py + other.py, self.pz + other.pz, self.energy + other.energy)

    def __sub__(self, other):
        return Momentum(self.px - other.px, self.py - other.py, self.pz - other.pz, self.energy - other.energy)

    @property
    def pt(self):
        return np.sqrt(self.px**2 + self.py**2)

    @property
    def p(self):
        return np.sqrt(self.px**2 + self.py**2 + self.pz**2)

    @property
    def eta(self):
        return np.arcsinh(self.pz / self.pt)

    @property
    def phi(self):
        return np.arctan2(self.py, self.px)

    @property
    def mass(self):
        return np.sqrt(np.maximum(self.energy**2 - self.p**2, 0))


def momentum(pt, eta, phi, mass):
    return Momentum(pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2))


def leading_momentum(objects, *, fill_value=None):
    ranked = objects.leading_first()
    first = ranked.array[ranked.passed][:, :1]
    parts = Momentum.of(first)
    return Momentum(
        *(ak.fill_none(ak.firsts(part), fill_value or 0.0) for part in (parts.px, parts.py, parts.pz, parts.energy))
    )


def total_momentum(objects):
    parts = Momentum.of(objects.array[objects.passed])
    return Momentum(*(ak.sum(part, axis=1) for part in (parts.px, parts.py, parts.pz, parts.energy)))


def neutrino_from_w(lepton, met_pt, met_phi, w_mass=80.4):
    nx, ny = met_pt * np.cos(met_phi), met_pt * np.sin(met_phi)
    mu = w_mass**2 / 2 + lepton.px * nx + lepton.py * ny
    spread = lepton.energy * np.sqrt(np.maximum((mu - lepton.pt * met_pt) * (mu + lepton.pt * met_pt), 0))
    centre = mu * lepton.pz
    pt2 = lepton.pt**2
    nothing = pt2 == 0
    numerator = np.where(centre > 0, centre - spread, centre + spread)
    nz = np.where(nothing, 0, numerator / np.where(nothing, 1, pt2))
    return Momentum(nx, ny, nz, np.sqrt(met_pt**2 + nz**2))


def delta_phi(phi1, phi2):
    difference = phi1 - phi2
    return difference - 2 * np.pi * np.round(difference / (2 * np.pi))


def delta_r(eta1, phi1, eta2, phi2):
    return np.sqrt((eta1 - eta2) ** 2 + delta_phi(phi1, phi2) ** 2)


def transverse_mass(lepton, missing):
    return np.sqrt(np.maximum(2 * lepton.pt * missing.pt * (1 - np.cos(delta_phi(lepton.phi, missing.phi))), 0))


def safe_sqrt(x):
    return np.sqrt(np.maximum(x, 0))


def window(x, low, high):
    return (x > low) & (x < high)
