"""Parameters: numbers and arrays, bounds, scales, frozen ones, their life as a pytree, and as text."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis import Hard, Parameter, Parameters, Weights


def two() -> Parameters:
    return Parameters(
        met=Parameter(50.0, bounds=(20, 120), unit="GeV"),
        eta=Parameter(2.4, bounds=(1.2, 2.4), frozen=True),
    )


def many() -> Parameters:
    return Parameters(
        met=Parameter(50.0, bounds=(20, 120), unit="GeV", description="missing momentum"),
        pt=Parameter([30.0, 50.0], bounds=(20, [60, 100]), width=[3.0, 5.0], unit="GeV"),
        grid=Parameter(np.full((2, 3), 0.5), bounds=(0, 1), frozen=True),
        net=Weights({"dense": {"w": jnp.ones((2, 3)), "b": jnp.zeros(3)}}, description="score"),
    )


def test_start_outside_its_bounds_is_named():
    with pytest.raises(ValueError, match=r"the start 10.0 lies outside the bounds \[20, 60\] GeV"):
        Parameter(10.0, bounds=(20, 60), unit="GeV")
    with pytest.raises(ValueError, match=r"the start 90.0 of element \[1\] lies outside the bounds \[20, 60\] GeV"):
        Parameter([30.0, 90.0], bounds=(20, 60), unit="GeV")
    with pytest.raises(ValueError, match=r"parameter 'met': the start 10.0 lies outside the bounds \[20, 120\] GeV"):
        two().replace(met=10.0)
    with pytest.raises(ValueError, match="the start nan lies outside"):
        Parameter(float("nan"), bounds=(20, 60))


@pytest.mark.parametrize("bounds", [(1, 1), (2, 1), (0, float("inf")), (float("nan"), 1), ([0, 2], [1, 1])])
def test_bounds_must_increase(bounds):
    with pytest.raises(ValueError, match="bounds must be finite and increasing"):
        Parameter(1.0, bounds=bounds)


@pytest.mark.parametrize("name", ["width", "scale"])
def test_scales_must_be_positive_and_fit(name):
    with pytest.raises(ValueError, match=f"{name} must be positive"):
        Parameter(1.0, bounds=(0, 2), **{name: 0.0})
    with pytest.raises(ValueError, match=rf"{name} of shape \(3,\) does not fit a value of shape \(2,\)"):
        Parameter([1.0, 1.0], bounds=(0, 2), **{name: [1.0, 2.0, 3.0]})


def test_switches_and_words_are_no_parameters():
    for value in (True, np.array([True, False])):
        with pytest.raises(TypeError, match=r"a switch cannot be a parameter.*compare the optimised analyses with and"):
            Parameter(value, bounds=(0, 1))
    for value in ("30", None, [[1.0], [1.0, 2.0]], jax.ShapeDtypeStruct((), float)):
        with pytest.raises(TypeError, match="the value must be a number or an array of numbers"):
            Parameter(value, bounds=(0, 1))
    with pytest.raises(TypeError, match="parameter 'met': needs a Parameter, Edges or Weights, got float"):
        Parameters(met=30.0)


@pytest.mark.parametrize("name", ["items", "_pt"])
def test_names_that_a_stage_could_not_write(name):
    with pytest.raises(ValueError, match=f"parameter '{name}': cut.{name} means something else"):
        Parameters(**{name: Parameter(1.0, bounds=(0, 2))})


def test_only_free_values_are_leaves():
    assert len(jax.tree.leaves(two())) == 1
    gradient = jax.grad(lambda p: 3 * p["met"] + 5 * p["eta"])(two())
    assert float(gradient["met"]) == 3.0
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(many())]
    assert paths == ["['met']", "['pt']", "['net']['dense']['b']", "['net']['dense']['w']"]


def test_one_compilation_for_all_starts():
    traces = []

    @jax.jit
    def f(p):
        traces.append(1)
        return p["met"] * 2 + p["pt"].sum() + p["net"]["dense"]["b"].sum()

    other = Parameters(
        **{**many().specs, "met": Parameter(90.0, bounds=(20, 120), unit="GeV", description="missing momentum")}
    )
    for parameters in (many(), many().replace(met=60.0, pt=[20.0, 99.0]), other):
        f(parameters)
    assert len(traces) == 1
    # frozen values are part of the program
    f(many().replace(grid=np.full((2, 3), 0.25)))
    f(many().replace(grid=np.full((2, 3), 0.25)))
    assert len(traces) == 2
    assert jax.tree.structure(many()) != jax.tree.structure(many().replace(grid=np.zeros((2, 3))))


def test_arrays_of_other_shapes_are_other_programs():
    total = jax.jit(lambda p: sum(threshold.value for threshold in p.cuts(Hard()).pt))
    for n in (2, 3):
        assert float(total(Parameters(pt=Parameter(np.ones(n), bounds=(0, 2))))) == n
    assert Parameter([1.0], bounds=(0, 2)) == Parameter([2.0], bounds=(0, 2)) != Parameter([1.0, 1.0], bounds=(0, 2))


def test_values_follow_the_precision_of_the_caller():
    parameters = many()
    assert parameters["pt"].dtype == parameters["met"].dtype == jnp.float32
    with jax.enable_x64(True):
        assert parameters["pt"].dtype == parameters["met"].dtype == jnp.float64
        assert parameters["net"]["dense"]["w"].dtype == jnp.float32


def test_scaled_values_round_trip():
    parameters = two()
    scaled = parameters.scaled()
    assert list(scaled) == ["met"]
    assert float(scaled["met"]) == 5.0  # 50 GeV in tenths of a 100 GeV range
    assert parameters.from_scaled({"met": jnp.asarray(6.0)}).to_dict() == pytest.approx({"met": 60.0, "eta": 2.4})
    low, high = parameters.scaled_bounds()
    assert (float(low["met"]), float(high["met"])) == (2.0, 12.0)

    scaled, (low, high) = many().scaled(), many().scaled_bounds()
    np.testing.assert_allclose(scaled["pt"], [30 / 4, 50 / 8])
    np.testing.assert_allclose(high["pt"], [60 / 4, 100 / 8])
    np.testing.assert_allclose(scaled["net"]["dense"]["w"], 10)
    assert np.all(np.isinf(low["net"]["dense"]["b"]))
    jax.tree.map(np.testing.assert_allclose, many().from_scaled(scaled), many())


def test_replace_keeps_frozen_and_unknown_names_fail():
    assert two().replace(eta=2.0).to_dict()["eta"] == 2.0
    leaves, structure = jax.tree.flatten(two().replace(eta=2.0, met=70.0))
    assert jax.tree.unflatten(structure, leaves).to_dict() == {"met": 70.0, "eta": 2.0}
    with pytest.raises(KeyError, match="no parameter 'pt'; the parameters are"):
        two().replace(pt=1.0)
    with pytest.raises(ValueError, match=r"parameter 'pt': needs an array of shape \(2,\), got \(3,\)"):
        many().replace(pt=[30.0, 30.0, 30.0])
    with pytest.raises(TypeError, match="parameter 'eta': is frozen, so its value must be known"):
        jax.jit(lambda x: two().replace(eta=x)["eta"])(2.0)
    assert float(jax.grad(lambda x: two().replace(met=x)["met"] ** 2)(30.0)) == 60.0


def test_a_bound_may_be_rounded_by_single_precision():
    """2.4 in float32 is 2.4000001; an optimum on the bound must be accepted again."""
    free = Parameters(eta=Parameter(2.0, bounds=(1.2, 2.4)))
    rounded = float(np.float32(2.4))
    assert rounded > 2.4
    assert free.replace(eta=rounded).to_dict() == {"eta": rounded}


def test_numbers_are_what_a_history_follows():
    assert two().numbers() == {"met": 50.0, "eta": 2.4}
    numbers = many().numbers()
    assert (numbers["pt[1]"], numbers["grid[1, 2]"]) == (50.0, 0.5)
    assert not any(name.startswith("net") for name in numbers)


def test_json_round_trip_without_loss():
    third = 1 / 3
    weights = {"dense": {"w": np.full((2, 3), np.float32(0.1)), "b": np.zeros(3, np.float32)}}
    before = many().replace(met=50 + third, pt=[30 + third, 50.0], net=weights)
    text = before.to_json()
    after = Parameters.from_json(text)
    assert after.specs == before.specs
    assert after.to_dict() == before.to_dict()
    assert after.free == before.free
    assert str(after) == str(before)
    assert after.to_json() == text
    assert json.loads(text)["pt"]["bounds"] == [20.0, [60.0, 100.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the parameters are no JSON"),
        ("[1]", "must be a JSON object"),
        ('{"met": 3}', "must be a JSON object"),
        (
            '{"met": {"value": 1, "bounds": [0, 2], "widht": 1}}',
            r"parameter 'met': unknown fields \['widht'\]; the fields",
        ),
        ('{"met": {"bounds": [0, 2]}}', "parameter 'met': no field 'value'"),
        ('{"met": {"value": 5, "bounds": [0, 2]}}', "parameter 'met': the start 5.0 lies outside"),
        ('{"met": {"value": 1, "bounds": [0, 1, 2]}}', "parameter 'met': bounds are a lowest and a highest value"),
        ('{"met": {"value": 1, "bounds": "ab"}}', "parameter 'met': could not convert"),
    ],
)
def test_json_that_is_not_right_is_named(text, message):
    with pytest.raises(ValueError, match=message):
        Parameters.from_json(text)


def test_values_that_json_cannot_hold():
    broken = jax.tree.map(lambda leaf: leaf * jnp.nan, two())
    with pytest.raises(ValueError, match="parameter 'met': "):
        broken.to_json()


def test_printed_as_one_line_and_as_a_table():
    assert repr(two()) == "Parameters(met=50 GeV, eta=2.4)"
    assert (
        repr(many())
        == "Parameters(met=50 GeV, pt=[30, 50] GeV, grid=[[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]], net=9 numbers)"
    )
    inside = []
    jax.eval_shape(lambda p: inside.append(repr(p)), two())
    assert "Trace" in inside[0] and "eta=2.4" in inside[0]
    text = str(many())
    for phrase in (
        "50",
        "20 to 120",
        "20 to [60, 100]",
        "[3, 5]",
        "GeV",
        "missing momentum",
        "frozen",
        "9 numbers",
        "none",
    ):
        assert phrase in text
    assert max(map(len, text.splitlines())) <= 100
