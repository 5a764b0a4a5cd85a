"""The invariant mass: against `vector` and extended precision, collinear light particles, singular points."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import vector

from hepgrad import ragged as rg
from hepgrad.analysis.kinematics import Momentum, invariant_mass

pytestmark = pytest.mark.usefixtures("quick_compilation")


def reference(*particles):
    """Return the mass of the sum in the longest floating type there is, and the energy of the sum."""
    total = 0
    for particle in particles:
        pt, eta, phi, mass = (np.longdouble(particle[name]) for name in ("pt", "eta", "phi", "mass"))
        energy = np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)
        total = total + np.array([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), energy])
    px, py, pz, energy = total
    return np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0)), energy


@pytest.mark.parametrize("n", [2, 3, 4])
def test_equals_vector(n, particles, records, x64):
    some = [particles(500, seed) for seed in range(n)]
    ours = invariant_mass(*map(records, some))
    exact, energy = reference(*some)
    # vector subtracts E**2 and p**2, which leaves 1e-16 of E**2
    theirs = sum((vector.array(p) for p in some[1:]), vector.array(some[0])).tau2
    np.testing.assert_array_less(abs(ours**2 - theirs), 1e-14 * np.asarray(energy, float) ** 2)
    clear = exact > 1e-3 * energy
    assert clear.mean() > 0.9
    np.testing.assert_allclose(ours[clear], exact[clear].astype(float), rtol=1e-12)
    plain = exact > 0.05 * energy
    np.testing.assert_allclose(ours[plain], np.sqrt(theirs[plain]), rtol=1e-10)


@pytest.mark.parametrize("distance", [1.0, 1e-1, 1e-2, 1e-3])
@pytest.mark.parametrize("mass", [0.0, 0.000511, 0.1057])
def test_nearly_collinear_light_particles_in_single_precision(distance, mass, particles, records):
    """Documented accuracy: a few 1e-7, where the Cartesian sum has nothing left at a distance of 0.01."""
    rng = np.random.default_rng(5)
    a, b = particles(500, 1, np.float32), particles(500, 2, np.float32)
    for name in ("eta", "phi"):
        b[name] = (a[name] + distance * rng.choice([-1, 1], 500) * rng.uniform(0.3, 1, 500)).astype(np.float32)
    for particle in (a, b):
        particle["mass"] = np.full(500, mass, np.float32)
    ours = np.asarray(invariant_mass(records(a), records(b)), float)
    exact, energy = reference(a, b)
    # beyond this the reference has no digits left
    clear = exact > 1e-6 * energy
    assert np.max(abs(ours / exact - 1)[clear]) < 1e-6
    if distance <= 1e-2 and mass == 0:
        summed = (Momentum.of(records(a)) + Momentum.of(records(b))).mass
        assert np.median(abs(np.asarray(summed, float) / exact - 1)) > 0.1


def test_momenta_are_added(particles, records, x64):
    a, b = (records(particles(500, seed)) for seed in (1, 2))
    summed = invariant_mass(a, Momentum.of(b))
    np.testing.assert_allclose(summed, (Momentum.of(a) + Momentum.of(b)).mass, rtol=1e-14)


def test_one_per_event_goes_to_all_objects():
    jets = rg.from_lists([[{"pt": 30.0, "eta": 0.0, "phi": 0.0, "mass": 0.0}] * 2, []])
    event = rg.zip({"pt": jnp.array([30.0, 1.0]), "eta": jnp.zeros(2), "phi": jnp.full(2, np.pi), "mass": jnp.zeros(2)})
    assert invariant_mass(jets, event).to_list() == [[60.0, 60.0], []]


def of_rows(*columns):
    """Return the mass of systems from their columns pt, eta, phi and mass, each of shape (particles, systems)."""
    particles = zip(*columns, strict=True)
    return invariant_mass(*(rg.zip(dict(zip(("pt", "eta", "phi", "mass"), row, strict=True))) for row in particles))


@pytest.mark.thorough
def test_derivatives_equal_central_differences(derivatives_agree):
    rng = np.random.default_rng(6)
    masses = [[0.0] * 4, [4.0] * 4, [0.1] * 4]
    point = rng.uniform(5, 90, (3, 4)), rng.normal(size=(3, 4)), rng.uniform(-3, 3, (3, 4)), masses
    derivatives_agree(of_rows, *point)
    # the second ones, of pairs
    gradient = jax.grad(lambda *x: jnp.sum(of_rows(*x)), (0, 1, 2, 3))
    derivatives_agree(gradient, *(x[:2] for x in point), tolerance=1e-5)


def test_derivatives_are_finite_at_singular_points(finite_derivatives):
    def mass(x):
        names = ("pt", "eta", "phi", "mass")
        return invariant_mass(*(rg.RecordArray(dict(zip(names, part, strict=True))) for part in (x[:4], x[4:])))

    massless = [
        (30, 1, 2, 0, 30, 1, 2, 0),  # identical
        (30, 1, 2, 0, 60, 1, 2, 0),  # collinear
        (0, 1, 2, 0, 30, 1, 2, 0),  # nothing and something
        (0, 0, 0, 0, 0, 0, 0, 0),  # nothing at all
    ]
    massive = [
        (30, 1, 2, 5, 30, 1, 2, 5),  # identical
        (0, np.inf, 0, 0, 30, 1, 2, 5),  # one along the beam
        (0, 0, 0, 3, 0, 0, 0, 4),  # both at rest
    ]
    gradient = finite_derivatives(mass, massless + massive)
    assert not gradient[: len(massless)].any()
    assert [float(mass(jnp.array(x, float))) for x in massive] == pytest.approx([10, 5, 7])


def test_missing_field_is_named():
    jets = rg.from_lists([[{"pt": 30.0, "eta": 0.0, "phi": 0.0}]])
    with pytest.raises(TypeError, match=r"needs records with the fields pt, eta, phi, mass; mass is not among"):
        invariant_mass(jets, jets)
