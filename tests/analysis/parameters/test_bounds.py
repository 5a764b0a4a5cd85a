"""Bounds hold at every step, whatever the optimiser does, and the derivative with respect to coordinates is exact."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepgrad.analysis import Parameter, Parameters, Projection, Smooth, Weights

PARAMETERS = Parameters(
    met=Parameter(50.0, bounds=(20, 120)),
    btag=Parameter([0.5, 0.2], bounds=(0.1, [0.9, 0.3])),
    eta=Parameter(2.0, bounds=(1.2, 2.4)),
    fixed=Parameter(3.0, bounds=(0, 4), frozen=True),
    net=Weights({"w": np.ones(2)}),
)
BOUNDS = pytest.mark.parametrize("bounds", [Projection(), Smooth()], ids=["projection", "smooth"])


@BOUNDS
def test_coordinates_round_trip_and_know_frozen_ones(bounds):
    coordinates = bounds.coordinates(PARAMETERS)
    assert list(coordinates) == ["met", "btag", "eta", "net"]
    again = bounds.parameters(coordinates, PARAMETERS)
    assert again.numbers() == pytest.approx(PARAMETERS.numbers(), rel=1e-6)
    np.testing.assert_allclose(again["net"]["w"], 1)


def inside(parameters):
    for name, spec in parameters.specs.items():
        if name != "net":
            low, high = (bound.astype(np.float32) for bound in spec.box())
            value = np.asarray(parameters[name])
            assert np.all((value >= low) & (value <= high)), (name, value)


@BOUNDS
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), rate=st.sampled_from([0.1, 3.0, 1e3, 1e20]))
def test_bounds_hold_at_every_step(bounds, seed, rate):
    """Random gradients and rates up to the absurd."""
    rng = np.random.default_rng(seed)
    coordinates = bounds.coordinates(PARAMETERS)
    optimizer = optax.sgd(rate)
    state = optimizer.init(coordinates)
    for _ in range(5):
        gradient = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), coordinates)
        updates, state = optimizer.update(gradient, state, coordinates)
        coordinates = bounds.restored(optax.apply_updates(coordinates, updates), PARAMETERS)
        inside(bounds.parameters(coordinates, PARAMETERS))


@BOUNDS
def test_derivative_is_exact(bounds, x64):
    def value(coordinates):
        parameters = bounds.parameters(coordinates, PARAMETERS)
        return (
            jnp.sin(parameters["met"] / 20)
            + jnp.sum(parameters["btag"] ** 2)
            + parameters["net"]["w"] @ jnp.arange(2.0)
        )

    coordinates = bounds.coordinates(PARAMETERS)
    jax.test_util.check_grads(jax.jit(value), (coordinates,), order=1, modes=("fwd", "rev"), atol=1e-7, rtol=1e-7)


def test_projection_keeps_its_derivative_on_a_bound():
    """Half a derivative, or none, would hold a parameter that starts on its bound."""
    on_bound = PARAMETERS.replace(eta=2.4)
    slope = jax.grad(lambda c: Projection().parameters(c, PARAMETERS)["eta"])(Projection().coordinates(on_bound))
    np.testing.assert_allclose(slope["eta"], 0.12, rtol=1e-6)


def test_smooth_steps_are_scales_in_the_middle_and_a_start_on_a_bound_is_refused():
    middle = PARAMETERS.replace(met=70.0)
    slope = jax.grad(lambda c: Smooth().parameters(c, PARAMETERS)["met"])(Smooth().coordinates(middle))
    np.testing.assert_allclose(slope["met"], PARAMETERS.specs["met"].scale, rtol=1e-6)
    with pytest.raises(ValueError, match=r"parameter 'eta' starts on a bound.*Projection"):
        Smooth().coordinates(PARAMETERS.replace(eta=2.4))
