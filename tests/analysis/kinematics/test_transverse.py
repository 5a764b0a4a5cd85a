"""Transverse masses: the textbook's formula, their end point, and their singular points."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Objects
from hepgrad.analysis.kinematics import invariant_mass, momentum, rapidity, system_transverse_mass, transverse_mass

pytestmark = pytest.mark.usefixtures("quick_compilation")


def met(pt, phi):
    return rg.RecordArray({"pt": jnp.asarray(pt), "phi": jnp.asarray(phi)})


def test_equals_the_textbook(particles, records, x64):
    a, b = particles(500, 1), particles(500, 2)
    ours = transverse_mass(records(a), records(b))
    textbook = np.sqrt(2 * a["pt"] * b["pt"] * (1 - np.cos(a["phi"] - b["phi"])))
    np.testing.assert_allclose(ours, textbook, rtol=1e-9, atol=1e-9)
    et = np.hypot(a["pt"], a["mass"])
    square = a["mass"] ** 2 + 2 * (et * b["pt"] - a["pt"] * b["pt"] * np.cos(a["phi"] - b["phi"]))
    np.testing.assert_allclose(system_transverse_mass(records(a), records(b)) ** 2, square, rtol=1e-9, atol=1e-9)


def test_is_the_smallest_invariant_mass(particles, records, x64):
    """Never above the mass, whatever the neutrino's longitudinal momentum, and equal to it at equal rapidity."""
    a, b = particles(500, 3), particles(500, 4)
    b["mass"] = 0 * b["mass"]
    transverse = system_transverse_mass(records(a), records(b))
    assert np.all(transverse <= invariant_mass(records(a), records(b)) * (1 + 1e-12))
    b["eta"] = np.asarray(rapidity(a["pt"], a["eta"], a["mass"]))
    np.testing.assert_allclose(transverse, invariant_mass(records(a), records(b)), rtol=1e-9)


def test_ends_at_the_mass_of_the_w():
    """Isotropic decays of a W at rest: a Jacobian peak just below, nothing above."""
    rng = np.random.default_rng(5)
    cosine, phi = rng.uniform(-1, 1, 5000), rng.uniform(-np.pi, np.pi, 5000)
    pt = (40.2 * np.sqrt(1 - cosine**2)).astype(np.float32)
    mt = transverse_mass(met(pt, phi.astype(np.float32)), met(pt, (phi + np.pi).astype(np.float32)))
    assert mt.max() < 80.4 * (1 + 1e-6)
    assert float(jnp.mean(mt > 60)) == pytest.approx(np.sqrt(1 - (60 / 80.4) ** 2), abs=0.02)


def test_for_every_object_of_a_collection():
    muons = Objects.of(rg.from_lists([[{"pt": 40.0, "phi": 0.0}, {"pt": 10.0, "phi": np.pi}], []]))
    assert transverse_mass(muons, met([40.0, 30.0], [np.pi, 0.0])).to_list() == [[80.0, 0.0], []]
    with pytest.raises(TypeError, match="system_transverse_mass: needs records with the fields pt, phi, mass"):
        system_transverse_mass(muons, met([40.0, 30.0], [np.pi, 0.0]))


def test_of_a_summed_momentum():
    lepton, jet = momentum(30.0, 0.5, 0.3, 0.0), momentum(60.0, -0.5, 2.0, 8.0)
    both = lepton + jet
    direct = system_transverse_mass(both.to_records(), met(50.0, -1.0))
    assert system_transverse_mass(both, met(50.0, -1.0)) == pytest.approx(float(direct), rel=1e-6)


def test_small_masses_in_single_precision():
    """The lepton and the missing momentum nearly parallel: 1 - cos would be 0 below 3e-4."""
    angle = np.float32(1e-4)
    mt = float(transverse_mass(met(np.float32(40), np.float32(0)), met(np.float32(40), angle)))
    assert mt == pytest.approx(80 * np.sin(float(angle) / 2), rel=1e-6)


def test_derivatives_are_finite_at_singular_points(finite_derivatives):
    def usual(x):
        return transverse_mass(met(x[0], x[1]), met(x[3], x[4]))

    def general(x):
        visible = rg.RecordArray({"pt": x[0], "phi": x[1], "mass": x[2]})
        return system_transverse_mass(visible, met(x[3], x[4]))

    # no lepton, no missing momentum, both in one direction, nothing, at rest
    points = [(0, 1, 0, 30, 1), (30, 1, 0, 0, 2), (30, 1, 0, 40, 1), (0, 0, 0, 0, 0), (0, 0, 5, 0, 0)]
    finite_derivatives(lambda x: usual(x) + general(x), points)


def test_derivatives_equal_central_differences(derivatives_agree):
    def both(pt, phi, mass, *missing):
        visible = rg.RecordArray({"pt": pt, "phi": phi, "mass": mass})
        return transverse_mass(visible, met(*missing)), system_transverse_mass(visible, met(*missing))

    derivatives_agree(both, [30.0, 50.0], [1.0, -2.0], [5.0, 0.0], [40.0, 20.0], [-3.0, 0.5])
