"""Angles between directions: against `vector`, across the seam at pi, and at vanishing distances."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import vector
from hypothesis import given, settings
from hypothesis import strategies as st

from hepgrad import ragged as rg
from hepgrad.analysis.kinematics import delta_phi, delta_r

pytestmark = pytest.mark.usefixtures("quick_compilation")


def test_equal_vector(particles, x64):
    a, b = particles(500, 1), particles(500, 2)
    va, vb = vector.array(a), vector.array(b)
    np.testing.assert_allclose(delta_phi(a["phi"], b["phi"]), va.deltaphi(vb), atol=1e-14)
    np.testing.assert_allclose(delta_r(a["eta"], a["phi"], b["eta"], b["phi"]), va.deltaR(vb), rtol=1e-14)


@settings(deadline=None)
@given(st.floats(-100, 100, width=32), st.floats(-100, 100, width=32))
def test_delta_phi_is_the_angle_modulo_a_turn(phi1, phi2):
    d = float(delta_phi(jnp.float32(phi1), jnp.float32(phi2)))
    assert abs(d) <= np.pi + 1e-5
    assert np.cos(d) == pytest.approx(np.cos(float(np.float32(phi1) - np.float32(phi2))), abs=1e-5)


def test_small_angles_keep_their_precision_across_the_seam():
    """Two directions beside each other, on either side of phi = pi, in float32."""
    rng = np.random.default_rng(3)
    near = np.pi - 10 ** rng.uniform(-6, -1, (2, 1000))
    phi1, phi2 = near[0].astype(np.float32), -near[1].astype(np.float32)
    exact = 2 * np.pi - (phi1.astype(float) - phi2.astype(float))
    np.testing.assert_allclose(-delta_phi(jnp.asarray(phi1), jnp.asarray(phi2)), exact, rtol=2e-6, atol=1e-9)


def test_rows_broadcast_against_one_per_event():
    phi = rg.from_lists([[0.1, 3.0], [], [-3.0]])
    event = jnp.array([0.3, 0.0, 3.0])
    assert delta_phi(phi, event).to_list()[0] == pytest.approx([-0.2, 2.7])
    assert delta_r(phi * 0, phi, event * 0, event).to_list()[2] == pytest.approx([2 * np.pi - 6])


def test_derivatives(finite_derivatives, derivatives_agree):
    derivatives_agree(delta_r, [0.5, -2.0], [3.0, 1.0], [0.1, 0.3], [-3.0, 1.0])
    derivatives_agree(delta_phi, [3.0, 1.0], [-3.0, 1.5])
    assert not finite_derivatives(lambda x: delta_r(*x), [[0.5, 1.0, 0.5, 1.0], [0.0, 3.0, 0.0, 3.0]]).any()
