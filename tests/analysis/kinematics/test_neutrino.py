"""The neutrino of a W decay: the constraint is met where it can be, and otherwise the real part is taken."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis.kinematics import momentum, neutrino_from_w, transverse_mass

pytestmark = pytest.mark.usefixtures("quick_compilation")


def leptons(n, seed):
    rng = np.random.default_rng(seed)
    columns = rng.uniform(20, 200, n), rng.uniform(-2.4, 2.4, n), rng.uniform(-3, 3, n), np.zeros(n)
    met = rng.uniform(5, 150, n), rng.uniform(-3, 3, n)
    return [jnp.asarray(x) for x in columns], [jnp.asarray(x) for x in met]


def test_solves_the_mass_constraint(x64):
    (pt, eta, phi, mass), met = leptons(500, 1)
    lepton = momentum(pt, eta, phi, mass)
    neutrino = neutrino_from_w(lepton, *met)
    mt = transverse_mass(rg.zip({"pt": pt, "phi": phi}), rg.zip({"pt": met[0], "phi": met[1]}))
    real = np.asarray(mt < 80.4)
    assert 0.2 < real.mean() < 0.8
    np.testing.assert_allclose((lepton + neutrino).mass[real], 80.4, rtol=1e-8)
    assert np.all((lepton + neutrino).mass[~real] > mt[~real] * (1 - 1e-9))
    np.testing.assert_allclose(neutrino.mass_squared, 0, atol=1e-9 * np.max(neutrino.energy) ** 2)
    np.testing.assert_allclose(neutrino.pt, met[0], rtol=1e-12)


def test_takes_the_smaller_solution(x64):
    """The other solution of the quadratic equation, by its two textbook roots."""
    (pt, eta, phi, mass), (met, met_phi) = leptons(500, 2)
    lepton = momentum(pt, eta, phi, mass)
    mu = 80.4**2 / 2 + pt * met * np.cos(phi - met_phi)
    root = np.sqrt(np.maximum(mu**2 - (pt * met) ** 2, 0)) * lepton.energy / pt**2
    centre = mu * lepton.pz / pt**2
    smaller = np.where(abs(centre - root) < abs(centre + root), centre - root, centre + root)
    np.testing.assert_allclose(neutrino_from_w(lepton, met, met_phi).pz, smaller, rtol=1e-7, atol=1e-7)


def test_every_lepton_of_an_event():
    lepton = momentum(rg.from_lists([[40.0, 30.0], []]), 0.5, 0.1, 0.0)
    neutrino = neutrino_from_w(lepton, jnp.array([50.0, 10.0]), jnp.array([2.0, 1.0]))
    assert (lepton + neutrino).mass.to_list()[0] == pytest.approx([80.4, 80.4], rel=1e-4)


def test_derivatives(finite_derivatives, derivatives_agree, x64):
    (pt, eta, phi, _), met = leptons(6, 3)

    def pz(pt, eta, phi, met, met_phi):
        return neutrino_from_w(momentum(pt, eta, phi, 0.0), met, met_phi).pz

    derivatives_agree(pz, pt, eta, phi, *met, tolerance=1e-5)
    # no lepton, no missing momentum, nothing, transverse mass equal to the W mass
    points = [(0, 0, 0, 30, 1), (40, 1, 0, 0, 0), (0, 0, 0, 0, 0), (40.2, 0, 0, 40.2, np.pi)]
    finite_derivatives(lambda x: pz(*x), points)
    assert pz(0.0, 0.0, 0.0, 30.0, 1.0) == 0
