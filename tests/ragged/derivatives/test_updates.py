"""Steps of an optimiser move the numbers of ragged arrays, never their rows."""

from __future__ import annotations

import jax
import numpy as np
import optax
import pytest

from hepgrad import ragged as rg

ROWS = [[1.0, 2.0, 3.0], [], [4.0, 5.0]]


def loss(x):
    return rg.sum(x**2)


@pytest.mark.parametrize("capacity", [None, 8], ids=["exact", "slack"])
def test_a_step_is_an_operator_or_apply_updates(capacity):
    x = rg.from_lists(ROWS, capacity=capacity)
    expected = [[0.8 * value for value in row] for row in ROWS]

    @jax.jit
    def step(x):
        gradient = rg.grad(loss)(x)
        return x - 0.1 * gradient, rg.apply_updates(x, -0.1 * gradient)

    for moved in step(x):
        assert [pytest.approx(row, rel=1e-6) for row in expected] == rg.to_list(moved)
        assert moved.offsets.tolist() == x.offsets.tolist()
        assert moved.offsets.dtype == np.int32


def test_arithmetic_on_every_leaf_is_refused():
    x = rg.from_lists(ROWS)
    gradient = rg.grad(loss)(x)
    for step in (lambda: jax.tree.map(lambda p, g: p - 0.1 * g, x, gradient), lambda: optax.adam(0.1).init(x)):
        try:
            result = step()
        except rg.StructureError as error:
            assert "rg.apply_updates" in str(error)
            continue
        # an optimiser may hold zeros, but its first step is refused
        with pytest.raises(rg.StructureError, match=r"rg\.items_of"):
            optax.adam(0.1).update(gradient, result, x)


def test_an_optimiser_of_optax_sees_numbers_only():
    muons = rg.from_lists([[{"pt": 3.0, "charge": 1}], [], [{"pt": 5.0, "charge": -1}]])
    params = {"muons": muons, "x": rg.from_lists(ROWS), "scale": 2.0}

    def objective(params):
        return rg.sum(params["muons"].pt ** 2) + params["scale"] ** 2 * loss(params["x"])

    optimizer = optax.adam(0.1)
    state = optimizer.init(rg.items_of(params))
    before = objective(params)
    for _ in range(3):
        gradient = rg.grad(objective)(params)
        updates, state = optimizer.update(rg.items_of(gradient), state)
        params = rg.apply_updates(params, updates)
    assert objective(params) < before
    assert rg.to_list(params["muons"].charge) == [[1], [], [-1]]
    assert rg.num(params["x"]).tolist() == [3, 0, 2]
    assert params["muons"].charge.content.dtype == np.int32


def test_updates_of_other_rows_are_refused():
    with pytest.raises(rg.StructureError, match="apply_updates: the arrays have the same number of rows but rows of"):
        rg.apply_updates(rg.from_lists(ROWS), rg.from_lists([[1.0], [2.0], [3.0]]))
