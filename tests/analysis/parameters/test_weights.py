"""Network weights: any tree of arrays, checked, and written down without losing its structure."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis import Hard, Parameters, Weights


class Layer(NamedTuple):
    """Stands for a module of any library: a node that JAX knows."""

    w: jax.Array
    b: jax.Array


NET = {"layers": [Layer(jnp.ones((2, 3)), jnp.zeros(3)), Layer(jnp.ones((3, 1)), jnp.zeros(1))], "skip": None}


def test_a_stage_receives_the_tree_and_its_gradient_has_the_same_structure():
    parameters = Parameters(net=Weights(NET))

    def score(parameters):
        x = jnp.array([1.0, 2.0])
        for layer in parameters.cuts(Hard()).net["layers"]:
            x = x @ layer.w + layer.b
        return x[0]

    assert float(score(parameters)) == 9.0
    gradient = jax.grad(score)(parameters)["net"]
    assert jax.tree.structure(gradient) == jax.tree.structure(NET)
    np.testing.assert_array_equal(gradient["layers"][0].w, [[1, 1, 1], [2, 2, 2]])


def test_frozen_weights_are_no_leaves():
    parameters = Parameters(net=Weights(NET, frozen=True))
    assert jax.tree.leaves(parameters) == []
    assert float(jax.jit(lambda p: p["net"]["layers"][0].w.sum())(parameters)) == 6.0
    assert hash(jax.tree.structure(parameters)) == hash(jax.tree.structure(Parameters(net=Weights(NET, frozen=True))))


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({}, "at least one array"),
        ({"w": jnp.ones(2), "f": jax.nn.relu}, "f holds .*; weights are floating-point arrays: .*eqx.partition"),
        ({"w": jnp.arange(2)}, "w holds numbers of type int32"),
        ({"a": {"n": 3}}, "a/n holds int"),
    ],
)
def test_only_arrays_of_floats(tree, message):
    with pytest.raises(TypeError, match=message):
        Weights(tree)


def test_scale_and_paths_are_checked():
    with pytest.raises(ValueError, match="scale must be positive, got 0"):
        Weights(NET, scale=0)
    with pytest.raises(ValueError, match="two arrays have the same path"):
        Weights({"a/b": jnp.ones(1), "a": {"b": jnp.ones(1)}})


def test_replace_by_tree_or_by_path():
    parameters = Parameters(net=Weights(NET))
    doubled = jax.tree.map(lambda leaf: 2 * leaf, NET)
    by_tree = parameters.replace(net=doubled)
    by_path = parameters.replace(net=by_tree.to_dict()["net"])
    assert by_tree.to_dict()["net"] == by_path.to_dict()["net"]
    assert next(iter(by_path.to_dict()["net"])) == "layers/0/w"
    assert jax.tree.structure(by_path["net"]) == jax.tree.structure(NET)
    assert by_path["net"]["layers"][1].w.dtype == jnp.float32
    with pytest.raises(ValueError, match="parameter 'net': needs a tree with the arrays"):
        parameters.replace(net={"w": jnp.ones(3)})
    wrong = {**by_tree.to_dict()["net"], "layers/0/b": [1.0]}
    with pytest.raises(ValueError, match=r"parameter 'net': layers/0/b needs an array of shape \(3,\), got \(1,\)"):
        parameters.replace(net=wrong)


def test_json_of_modules_needs_a_tree_of_their_structure():
    text = Parameters(net=Weights(NET, scale=0.5, description="score")).to_json()
    with pytest.raises(ValueError, match=r"parameter 'net': the weights are no nested dictionaries; give a tree"):
        Parameters.from_json(text)
    again = Parameters.from_json(text, trees={"net": jax.tree.map(jnp.zeros_like, NET)})
    assert jax.tree.structure(again["net"]) == jax.tree.structure(NET)
    assert again.to_json() == text
    assert again.specs["net"].scale == 0.5
