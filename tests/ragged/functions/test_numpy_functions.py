"""NumPy functions of ragged arrays give what they give for Awkward arrays."""

from __future__ import annotations

import awkward as ak
import jax
import numpy as np
import pytest

import hepgrad.ragged as rg

pytestmark = pytest.mark.usefixtures("quick_compilation")

ROWS = [[1.25, -2.0, 3.0], [0.5], [4.0, 5.0]]
SAME = (
    "np.sum(x, axis=1); np.sum(x, 1); np.sum(x); np.prod(x, axis=-1); np.min(x, axis=1, initial=9.0); "
    "np.max(x, axis=1, initial=-9.0); np.any(x > 4, axis=1); np.all(x > 0, axis=1); "
    "np.count_nonzero(x > 2, axis=1); np.mean(x, axis=1); np.var(x, axis=1); np.std(x, axis=1); "
    "np.ptp(x, axis=1); np.amax(x, axis=None); np.concatenate([x, x]); np.concatenate([x, x], axis=1); "
    "np.where(x > 2, x, 0.0); np.sort(x, axis=1); np.argsort(x, axis=1); np.zeros_like(x); np.ones_like(x); "
    "np.full_like(x, 3.0); np.isclose(x, 4.0, atol=1.0); np.nan_to_num(x, nan=1.0); "
    "np.broadcast_arrays(x, 1.0)[1]; np.round(x, 1); np.real(x)"
)
BY_ITEM = (
    "np.clip(x, 0, 3); np.ravel(x); np.around(x); np.sinc(x); np.angle(x); np.fix(x); np.argmax(x); "
    "np.interp(x, [0.0, 5.0], [0.0, 1.0]); np.digitize(x, np.array([0.0, 2.0, 4.0]))"
)


def evaluate(expression, x):
    return eval(expression, {"np": np, "x": x})


def nearly(found, want):
    assert ak.almost_equal(ak.Array(found), ak.Array(want), rtol=1e-5, dtype_exact=False)


@pytest.mark.thorough
@pytest.mark.parametrize("expression", SAME.split("; "))
def test_agrees_with_awkward(expression):
    function = expression.split("(")[0].removeprefix("np.")
    # Awkward has these under its own name only
    reference = expression.replace("np.", "ak.", 1) if function in ("where", "sort", "argsort") else expression
    array = ak.Array(ROWS)
    want = eval(reference, {"np": np, "ak": ak, "x": array})
    found = evaluate(expression, rg.from_lists(ROWS))
    if isinstance(want, ak.Array):
        nearly(rg.to_list(found), ak.to_list(want))
    else:
        np.testing.assert_allclose(np.asarray(found), want, rtol=1e-5)


@pytest.mark.parametrize("expression", BY_ITEM.split("; "))
def test_agrees_with_numpy_item_by_item(expression):
    flat = np.concatenate([np.asarray(row, np.float32) for row in ROWS])
    want = evaluate(expression, flat)
    found = evaluate(expression, rg.from_lists(ROWS))
    if isinstance(found, rg.RaggedArray):
        assert rg.to_list(rg.num(found)) == [3, 1, 2]
        found = rg.ravel(found)
    np.testing.assert_allclose(np.asarray(found), want, rtol=1e-5, atol=1e-7)


def test_inside_jit_and_with_gradients():
    x = rg.from_lists(ROWS, capacity=10)

    @jax.jit
    def function(content):
        return np.sum(np.clip(x.with_content(content), 0.0, 3.0) ** 2)

    np.testing.assert_allclose(jax.grad(function)(x.content)[:6], [2.5, 0.0, 3.0, 1.0, 0.0, 0.0])


def test_average_with_weights():
    x = rg.from_lists(ROWS)
    want = [np.average(row, weights=np.abs(row)) for row in ROWS]
    np.testing.assert_allclose(np.average(x, axis=1, weights=abs(x)), want, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: np.fft.fft(x), "np.fft has no counterpart for ragged arrays"),
        (lambda x: np.median(x), "np.median has no counterpart for ragged arrays"),
        (lambda x: np.sum(x, out=np.zeros(3)), "np.sum: the argument 'out' is not supported"),
        (lambda x: np.clip(x, 0, 1, out=np.zeros(3)), "np.clip: the argument 'out' is not supported"),
        (lambda x: np.where(x > 1), "np.where: ragged arrays need the arguments condition, x, y"),
        (lambda x: np.round(x, 1, out=np.zeros(3)), "not supported|takes"),
    ],
)
def test_errors(call, message):
    with pytest.raises(TypeError, match=message):
        call(rg.from_lists(ROWS))


def test_values_know_their_rows():
    assert isinstance(np.sum(rg.from_lists(ROWS), axis=1), rg.FlatArray)
