"""Boosts: against `vector`, what they must leave unchanged, and frames that do not exist."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
import vector

from hepgrad import ragged as rg
from hepgrad.analysis.kinematics import Momentum, boost, cos_decay_angle, momentum, to_rest_frame, velocity

pytestmark = pytest.mark.usefixtures("quick_compilation")


def moving(n, seed, dtype=np.float64):
    """Return massive momenta and velocities below that of light."""
    rng = np.random.default_rng(seed)
    p = [
        x.astype(dtype)
        for x in (rng.uniform(1, 200, n), rng.uniform(-2.5, 2.5, n), rng.uniform(-3, 3, n), rng.uniform(1, 90, n))
    ]
    direction = rng.normal(size=(3, n))
    beta = direction / np.linalg.norm(direction, axis=0) * rng.uniform(0, 0.99, n)
    return momentum(*map(jnp.asarray, p)), [jnp.asarray(b.astype(dtype)) for b in beta]


def as_vector(p):
    return vector.array(dict(zip(("px", "py", "pz", "E"), map(np.asarray, p.components), strict=True)))


def test_boosts_equal_vector(x64):
    p, beta = moving(500, 1)
    theirs = as_vector(p).boost_beta3(vector.array(dict(zip("xyz", map(np.asarray, beta), strict=True))))
    for ours, other in zip(boost(p, *beta).components, (theirs.px, theirs.py, theirs.pz, theirs.E), strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-10, atol=1e-10)


def test_rest_frames_equal_vector(x64):
    (p, _), (frame, _) = moving(500, 2), moving(500, 3)
    theirs = as_vector(p).boostCM_of_p4(as_vector(frame))
    for ours, other in zip(
        to_rest_frame(p, frame).components, (theirs.px, theirs.py, theirs.pz, theirs.E), strict=True
    ):
        np.testing.assert_allclose(ours, other, rtol=1e-8, atol=1e-8)


def test_laws(x64):
    (p, beta), (q, _) = moving(500, 4), moving(500, 5)
    seen = boost(p, *beta)
    np.testing.assert_allclose(seen.mass, p.mass, rtol=1e-9)
    np.testing.assert_allclose((seen + boost(q, *beta)).mass, (p + q).mass, rtol=1e-10)
    there_and_back = boost(seen, *(-b for b in beta))
    for after, before in zip(there_and_back.components, p.components, strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-8, atol=1e-8)
    at_rest = to_rest_frame(p, p)
    np.testing.assert_array_less(at_rest.p, 1e-12 * p.energy)
    np.testing.assert_allclose(at_rest.energy, p.mass, rtol=1e-12)
    # the same as the boost by minus the velocity; in the rest frame of the sum the two are back to back
    np.testing.assert_allclose(to_rest_frame(q, p).pz, boost(q, *(-b for b in velocity(p))).pz, rtol=1e-7, atol=1e-7)
    a, b = (to_rest_frame(x, p + q) for x in (p, q))
    np.testing.assert_array_less((a + b).p, 1e-10 * (p + q).energy)


def test_rest_frame_in_single_precision():
    """Documented by this test: a W of 80 GeV with 1 TeV is at rest to 0.01 GeV."""
    w = momentum(*map(jnp.float32, (1000.0, 0.7, 0.3, 80.4)))
    at_rest = to_rest_frame(w, w)
    assert at_rest.p < 0.01
    assert at_rest.energy == pytest.approx(80.4, abs=0.01)


def test_decay_angle_is_isotropic_for_a_scalar_and_equals_vector(x64):
    rng = np.random.default_rng(6)
    cosine, phi = rng.uniform(-1, 1, 500), rng.uniform(-3, 3, 500)
    sine = np.sqrt(1 - cosine**2)
    parent, _ = moving(500, 7)
    half = parent.mass / 2
    daughter = boost(
        Momentum(half * sine * np.cos(phi), half * sine * np.sin(phi), half * cosine, half), *velocity(parent)
    )
    ours = np.asarray(cos_decay_angle(daughter, parent))
    theirs = np.cos(as_vector(daughter).boostCM_of_p4(as_vector(parent)).deltaangle(as_vector(parent)))
    np.testing.assert_allclose(ours, theirs, atol=1e-7)
    assert np.mean(ours) == pytest.approx(0, abs=0.08)
    assert np.mean(ours**2) == pytest.approx(1 / 3, abs=0.05)


def test_objects_into_the_frame_of_their_event():
    jets = momentum(rg.from_lists([[30.0, 20.0], []]), 0.0, 0.0, 10.0)
    frame = momentum(jnp.array([30.0, 10.0]), jnp.zeros(2), jnp.zeros(2), jnp.full(2, 10.0))
    theirs = vector.obj(pt=20.0, phi=0.0, eta=0.0, mass=10.0).boostCM_of_p4(
        vector.obj(pt=30.0, phi=0.0, eta=0.0, mass=10.0)
    )
    (at_rest, other), nothing = to_rest_frame(jets, frame).px.to_list()
    assert (at_rest, other) == pytest.approx((0.0, theirs.px), abs=1e-4)
    assert nothing == []


def test_what_does_not_exist(finite_derivatives):
    """No frame of a massless particle: unchanged. No velocity of light: NaN. No angle of what is at rest: 0."""
    p = momentum(30.0, 0.5, 0.2, 5.0)
    for frame in (momentum(20.0, 0.0, 0.0, 0.0), Momentum(*map(jnp.float32, (0, 0, 0, 0)))):
        assert to_rest_frame(p, frame).pz == p.pz
    assert jnp.isnan(boost(p, 1.0, 0.0, 0.0).energy)
    assert cos_decay_angle(p, p) == pytest.approx(0, abs=1)
    rest = Momentum(*map(jnp.float32, (0, 0, 0, 5)))
    assert cos_decay_angle(p, rest) == 0
    assert velocity(Momentum(*map(jnp.float32, (0, 0, 0, 0)))) == (0, 0, 0)

    def every(x):
        a, b = Momentum(*x[:4]), Momentum(*x[4:])
        parts = (*to_rest_frame(a, b).components, *velocity(a), cos_decay_angle(a, b), *boost(a, *x[5:]).components)
        return sum(jnp.where(jnp.isnan(part), 0, part) for part in parts)

    # nothing, at rest, massless, moving
    particles = [(0, 0, 0, 0), (0, 0, 0, 5), (3, 4, 0, 5), (1, 0, 0, 3)]
    finite_derivatives(every, [(*a, *b) for a, b in itertools.product(particles, particles)])


def test_derivatives_equal_central_differences(derivatives_agree, x64):
    (p, beta), (frame, _) = moving(4, 8), moving(4, 9)

    def every(p, frame, beta):
        p, frame = Momentum(*p), Momentum(*frame)
        return boost(p, *beta), to_rest_frame(p, frame), cos_decay_angle(p, frame)

    # not too near the speed of light, where differences are hopeless
    slow, heavy = [0.5 * b for b in beta], [*frame.components[:3], 200 + frame.energy]
    derivatives_agree(every, p.components, heavy, slow, step=1e-4, tolerance=1e-5)
