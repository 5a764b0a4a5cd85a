"""Tables against SciPy's interpolation, correctionlib's bins and their own finite differences."""

from __future__ import annotations

import awkward as ak
import correctionlib.schemav2 as schema
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from hepgrad import ragged as rg
from hepgrad.analysis.stages import Table

pytestmark = pytest.mark.usefixtures("quick_compilation")

PT, ETA = [20.0, 30.0, 50.0, 120.0], [0.0, 0.8, 1.6, 2.4]
VALUES = np.random.default_rng(1).uniform(0.8, 1.2, (3, 3))
TABLE = Table([PT, ETA], VALUES)


def centres(edges):
    return (np.array(edges[1:]) + np.array(edges[:-1])) / 2


def test_two_dimensions_agree_with_scipy():
    rng = np.random.default_rng(2)
    pt, eta = rng.uniform(0, 200, 500).astype(np.float32), rng.uniform(-1, 4, 500).astype(np.float32)
    reference = RegularGridInterpolator((centres(PT), centres(ETA)), VALUES)
    inside = np.clip(pt, *centres(PT)[[0, -1]]), np.clip(eta, *centres(ETA)[[0, -1]])
    np.testing.assert_allclose(jax.jit(TABLE)(pt, eta), reference(np.stack(inside, -1)), rtol=1e-5)


@pytest.mark.parametrize("bins", [1, 2, 3, 50])
def test_one_dimension_agrees_with_numpy(bins):
    edges = np.linspace(20, 120, bins + 1)
    values = np.random.default_rng(bins).uniform(0.8, 1.2, bins)
    x = np.linspace(0, 150, 301, dtype=np.float32)
    np.testing.assert_allclose(jax.jit(Table(edges, values))(x), np.interp(x, centres(edges), values), rtol=1e-5)


def test_derivatives_are_the_slopes():
    with jax.enable_x64(True):
        x = jnp.array([[27.0, 44.0, 70.0, 500.0], [0.5, 1.0, 1.9, 1.0]])
        direction = jnp.array([[1.0], [0.02]])

        @jax.jit
        def slopes(x):
            tangent = jax.jvp(lambda x: TABLE(*x), (x,), (jnp.broadcast_to(direction, x.shape),))[1]
            backward = jnp.sum(jax.grad(lambda x: jnp.sum(TABLE(*x)))(x) * direction, axis=0)
            return tangent, backward, (TABLE(*(x + 1e-3 * direction)) - TABLE(*(x - 1e-3 * direction))) / 2e-3

        forward, backward, expected = slopes(x)
        np.testing.assert_allclose(forward, expected, rtol=1e-8)
        np.testing.assert_allclose(backward, expected, rtol=1e-8)


def test_beyond_the_table_nothing_changes():
    value, slope = jax.jit(jax.value_and_grad(TABLE))(500.0, 1.2)
    assert (value, slope) == (np.float32(VALUES[2, 1]), 0)


def test_ragged_arrays():
    jets = rg.from_lists([[{"pt": 40.0, "eta": -1.2}, {"pt": 25.0, "eta": 0.4}], []])
    (first, second), nothing = rg.to_list(TABLE(jets.pt, abs(jets.eta)))
    assert (first, second, nothing) == (np.float32(VALUES[1, 1]), np.float32(VALUES[0, 0]), [])


def test_bins_of_correctionlib():
    """A table made from a correction has its values at the centres of the bins."""
    inputs = [schema.Variable(name=name, type="real") for name in ("eta", "pt")]
    correction = schema.Correction(
        name="sf",
        version=1,
        inputs=inputs,
        output=schema.Variable(name="sf", type="real"),
        data=schema.MultiBinning(
            nodetype="multibinning",
            inputs=["pt", "eta"],
            edges=[PT, ETA],
            content=VALUES.ravel().tolist(),
            flow="clamp",
        ),
    ).to_evaluator()
    pt, eta = np.meshgrid(centres(PT), centres(ETA), indexing="ij")
    np.testing.assert_allclose(Table([PT, ETA], correction.evaluate(eta, pt))(pt, eta), correction.evaluate(eta, pt))
    # outside the gradient it takes Awkward arrays, and gives a column that can be read in with the others
    jets = ak.zip({"pt": [[40.0, 25.0], []], "eta": [[-1.2, 0.4], []]})
    column = correction.evaluate(abs(jets.eta), jets.pt)
    assert ak.num(column).to_list() == [2, 0]
    np.testing.assert_allclose(ak.flatten(column), [VALUES[1, 1], VALUES[0, 0]])


@pytest.mark.parametrize(
    ("edges", "values", "message"),
    [
        ([0, 1, 1], [1, 2], "must increase"),
        ([0], [], "must increase"),
        ([0, 1, 2], [1, 2, 3], r"bins \(2,\) needs values of that shape, got \(3,\)"),
        ([[0, 1, 2], [0, 1]], [1, 2], r"bins \(2, 1\)"),
        ([0, 1], [np.nan], "NaN"),
    ],
)
def test_tables_that_do_not_fit(edges, values, message):
    with pytest.raises(ValueError, match=message):
        Table(edges, values)


def test_number_of_variables():
    with pytest.raises(TypeError, match="a function of 2 variables, not of 1"):
        TABLE(30.0)


def test_tables_are_compared_by_value():
    assert Table(tuple(PT), VALUES[0].tolist()) == Table(np.array(PT), VALUES[0])
    assert hash(Table(PT, VALUES[0])) == hash(Table(np.array(PT), VALUES[0]))
