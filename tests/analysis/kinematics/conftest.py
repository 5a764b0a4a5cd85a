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
    """Return a function that compares first and second derivatives with central differences, in float64."""

    def check(function, *point, step=1e-5, tolerance=1e-6):
        with jax.enable_x64(True):
            point = tuple(jnp.asarray(x, float) for x in point)
            keys = iter(jax.random.split(jax.random.key(7), 2 * len(point)))
            along = tuple(jax.random.uniform(next(keys), x.shape, minval=0.5) for x in point)
            weights = [jnp.cos(1.0 + jnp.arange(x.size)).reshape(x.shape) for x in jax.tree.leaves(function(*point))]

            def value(t):
                at = (x + t * v for x, v in zip(point, along, strict=True))
                return sum(jnp.vdot(w, y) for w, y in zip(weights, jax.tree.leaves(function(*at)), strict=True))

            def slope(t):
                """Return the derivative by reverse mode, with respect to everything."""

                def moved(*x):
                    return sum(jnp.vdot(w, y) for w, y in zip(weights, jax.tree.leaves(function(*x)), strict=True))

                at = tuple(x + t * v for x, v in zip(point, along, strict=True))
                gradients = jax.grad(moved, tuple(range(len(at))))(*at)
                return sum(jnp.vdot(g, v) for g, v in zip(gradients, along, strict=True))

            @jax.jit
            def everything():
                steps = jnp.array([-step, 0.0, step])
                values, slopes = jax.lax.map(lambda t: (value(t), slope(t)), steps)
                forward = jax.jvp(value, (0.0,), (1.0,))[1]
                second = jax.jvp(slope, (0.0,), (1.0,))[1]
                return (
                    slopes[1],
                    forward,
                    (values[2] - values[0]) / (2 * step),
                    second,
                    (slopes[2] - slopes[0]) / (2 * step),
                )

            reverse, forward, difference, second, second_difference = map(float, everything())
        assert reverse == pytest.approx(difference, rel=tolerance, abs=tolerance)
        assert forward == pytest.approx(reverse, rel=1e-10, abs=1e-10)
        assert second == pytest.approx(second_difference, rel=10 * tolerance, abs=10 * tolerance)

    return check
