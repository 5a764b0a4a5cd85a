"""Edges that an optimiser can move."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from hepgrad.analysis.histogram import fill_soft, free_of_edges, ordered_edges

FREE = st.lists(st.floats(-20, 20), min_size=1, max_size=5)


@settings(max_examples=30, deadline=None)
@given(free=FREE)
def test_they_increase_whatever_the_numbers_are(free):
    edges = np.asarray(ordered_edges(jnp.array(free), -10.0, 100.0, narrowest=2.0))
    assert (edges[0], edges[-1]) == (-10, 100)
    assert (np.diff(edges) > 2.0 - 1e-4).all()


@settings(max_examples=30, deadline=None)
@given(widths=st.lists(st.floats(0.6, 100), min_size=1, max_size=5))
def test_every_edges_can_be_had(widths):
    with jax.enable_x64(True):
        edges = 5 + np.cumsum([0, *widths])
        free = free_of_edges(edges, narrowest=0.5)
        assert abs(free.mean()) < 1e-12
        np.testing.assert_allclose(ordered_edges(free, edges[0], edges[-1], narrowest=0.5), edges, rtol=1e-12)


def test_the_best_edge_is_found(x64):
    """Two Gaussians cross at 1.5, which is where two bins tell them apart best."""
    x = jnp.linspace(-4, 7, 2001)

    @jax.jit
    @jax.grad
    def slope(free):
        edges = ordered_edges(free, -4.0, 7.0, narrowest=0.5)
        near, far = (fill_soft(x, norm.pdf(x, mean), edges, bandwidth=0.1).sumw[1:-1] for mean in (0.5, 2.5))
        return -jnp.sum((near - far) ** 2) / x.size**2

    free = jnp.zeros(2)
    for _ in range(200):
        free -= 20 * slope(free)
    assert ordered_edges(free, -4.0, 7.0, narrowest=0.5)[1] == pytest.approx(1.5, abs=0.01)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"one free number for each bin .* \(2, 2\)"):
        ordered_edges(jnp.zeros((2, 2)), 0.0, 1.0)
    with pytest.raises(ValueError, match=r"4 bins of width 0\.3 or more do not fit between 0\.0 and 1\.0"):
        ordered_edges(jnp.zeros(4), 0.0, 1.0, narrowest=0.3)
    with pytest.raises(ValueError, match=r"more than 1\.0 apart"):
        free_of_edges(jnp.array([0.0, 1.0, 3.0]), narrowest=1.0)
