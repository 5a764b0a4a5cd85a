"""Parameters: bounds, scales, frozen ones, and their life as a pytree."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from hepgrad.analysis import Parameter, Parameters


def two() -> Parameters:
    return Parameters(
        met=Parameter(50.0, bounds=(20, 120), unit="GeV"),
        eta=Parameter(2.4, bounds=(1.2, 2.4), frozen=True),
    )


def test_start_outside_its_bounds_is_named():
    with pytest.raises(ValueError, match=r"the start 10.0 lies outside the bounds \[20, 60\] GeV"):
        Parameter(10.0, bounds=(20, 60), unit="GeV")
    with pytest.raises(ValueError, match=r"parameter 'met': the start 10.0 lies outside the bounds \[20, 120\] GeV"):
        two().replace(met=10.0)


@pytest.mark.parametrize("bounds", [(1, 1), (2, 1), (0, float("inf")), (float("nan"), 1)])
def test_bounds_must_increase(bounds):
    with pytest.raises(ValueError, match="bounds must be finite and increasing"):
        Parameter(1.0, bounds=bounds)


@pytest.mark.parametrize("name", ["width", "scale"])
def test_scales_must_be_positive(name):
    with pytest.raises(ValueError, match=f"{name} must be positive"):
        Parameter(1.0, bounds=(0, 2), **{name: 0.0})


def test_only_free_values_are_leaves():
    assert len(jax.tree.leaves(two())) == 1
    gradient = jax.grad(lambda p: 3 * p["met"] + 5 * p["eta"])(two())
    assert float(gradient["met"]) == 3.0


def test_scaled_values_round_trip():
    parameters = two()
    scaled = parameters.scaled()
    assert list(scaled) == ["met"]
    assert float(scaled["met"]) == 5.0  # 50 GeV in tenths of a 100 GeV range
    assert parameters.from_scaled({"met": jnp.asarray(6.0)}).to_dict() == pytest.approx({"met": 60.0, "eta": 2.4})
    low, high = parameters.scaled_bounds()
    assert (float(low["met"]), float(high["met"])) == (2.0, 12.0)


def test_replace_keeps_frozen_and_unknown_names_fail():
    assert two().replace(eta=2.0).to_dict()["eta"] == 2.0
    leaves, structure = jax.tree.flatten(two().replace(eta=2.0, met=70.0))
    assert jax.tree.unflatten(structure, leaves).to_dict() == {"met": 70.0, "eta": 2.0}
    with pytest.raises(KeyError, match="no parameter 'pt'; the parameters are"):
        two().replace(pt=1.0)


def test_one_compilation_for_all_values():
    traces = []

    @jax.jit
    def f(p):
        traces.append(1)
        return p["met"] * 2

    for value in (30.0, 40.0, 50.0):
        assert float(f(two().replace(met=value))) == 2 * value
    assert len(traces) == 1


def test_repr_shows_units():
    assert repr(two()) == "Parameters(met=50 GeV, eta=2.4)"
