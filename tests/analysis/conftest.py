"""Random particles of all kinds, and what the tests of kinematics share."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg

FIELDS = ("pt", "eta", "phi", "mass")


@pytest.fixture(scope="session")
def particles():
    """Return a function that makes n particles as a dict of NumPy arrays: massless to heavy, central to far forward."""

    def make(n, seed, dtype=np.float64):
        rng = np.random.default_rng(seed)
        pt = 10 ** rng.uniform(-1, 3.3, n)
        mass = rng.choice([0.0, 1e-4, 0.1057, 1.0, 0.2, 80.0], n) * np.where(rng.uniform(size=n) < 0.5, 1, pt / 50)
        values = (pt, rng.uniform(-5, 5, n), rng.uniform(-np.pi, np.pi, n), mass)
        return {name: value.astype(dtype) for name, value in zip(FIELDS, values, strict=True)}

    return make


@pytest.fixture(scope="session")
def records():
    """Return a function that makes records of one object per event from a dict of arrays."""
    return lambda fields: rg.zip({name: jnp.asarray(value) for name, value in fields.items()})


@pytest.fixture(scope="session")
def finite_derivatives():
    """Return a function that asserts finite first and second derivatives of a scalar function of a vector at points."""

    def check(function, points):
        points = jnp.asarray(points, float)
        ones = jnp.ones_like(points[0])

        @jax.jit
        @jax.vmap
        def derivatives(x):
            gradient = jax.grad(function)
            return gradient(x), jax.jvp(function, (x,), (ones,))[1], jax.jvp(gradient, (x,), (ones,))[1]

        for found in derivatives(points):
            good = jnp.isfinite(found).reshape(len(points), -1).all(axis=1)
            assert good.all(), f"derivative {found[~good]} at {points[~good]}"
        return derivatives(points)[0]

    return check


@pytest.fixture(scope="session")
def derivatives_agree():
    """Return a function that compares forward and reverse derivatives with central differences, in float64."""

    def check(function, *point, step=1e-5, tolerance=1e-6):
        with jax.enable_x64(True):
            point = tuple(jnp.asarray(x, float) for x in point)
            keys = jax.random.split(jax.random.key(7), len(point))
            along = tuple(jax.random.uniform(key, x.shape, minval=0.5) for key, x in zip(keys, point, strict=True))

            def value(*x):
                results = jax.tree.leaves(function(*x))
                return sum(jnp.vdot(jnp.cos(1.0 + jnp.arange(y.size)).reshape(y.shape), y) for y in results)

            @jax.jit
            def derivatives(t):
                at = tuple(x + t * v for x, v in zip(point, along, strict=True))
                gradient = jax.grad(value, tuple(range(len(at))))(*at)
                reverse = sum(jnp.vdot(g, v) for g, v in zip(gradient, along, strict=True))
                return *jax.jvp(value, at, along), reverse

            difference = (derivatives(step)[0] - derivatives(-step)[0]) / (2 * step)
            _, forward, reverse = map(float, derivatives(0.0))
        assert reverse == pytest.approx(float(difference), rel=tolerance, abs=tolerance)
        assert forward == pytest.approx(reverse, rel=1e-10, abs=1e-10)

    return check
