"""Sorting in rows: against Awkward, and as the permutation that its derivative is."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.ragged.structure import order

pytestmark = pytest.mark.usefixtures("quick_compilation")

RNG = np.random.default_rng(20)


def rows(lengths, values):
    return ak.unflatten(np.asarray(values), lengths)


LENGTHS = RNG.poisson(5, 60)
ARRAYS = {
    "floats": rows(LENGTHS, RNG.normal(size=LENGTHS.sum()).astype(np.float32)),
    "ties": rows(LENGTHS, RNG.integers(-2, 3, LENGTHS.sum()).astype(np.float32)),
    "integers": rows(LENGTHS, RNG.integers(-9, 9, LENGTHS.sum()).astype(np.int32)),
    "unsigned": rows(LENGTHS, RNG.integers(0, 9, LENGTHS.sum()).astype(np.uint8)),
    "booleans": rows(LENGTHS, RNG.random(LENGTHS.sum()) < 0.5),
    "infinities": ak.Array([[np.inf, 1.0, -np.inf, 0.0, -0.0, np.nan, 2.0, np.nan], [], [np.nan], [-1.0, np.nan]]),
    "empty rows": ak.values_astype(ak.Array([[], [], []]), np.float32),
    "no rows": ak.values_astype(ak.Array([[1.0]])[:0], np.float32),
    "one long row": rows([0, 1100, 1], RNG.integers(0, 50, 1101).astype(np.float32)),
    "three levels": ak.unflatten(rows(LENGTHS, RNG.normal(size=LENGTHS.sum()).astype(np.float32)), [20, 0, 39, 1]),
}
FORMS = ("eager", "jit", "slack", "jit and slack")


def run(function, array, form):
    """Apply a function eagerly or jitted, to exact buffers or to longer ones."""
    x = rg.from_awkward(array, capacity=1500) if "slack" in form else rg.from_awkward(array)
    results = (jax.jit(function) if "jit" in form else function)(x)
    return [rg.to_awkward(y) for y in results]


def all_orders(x):
    """Return the results of both functions in both directions, in one program."""
    return [function(x, ascending=up) for function in (rg.sort, rg.argsort) for up in (True, False)]


@pytest.mark.thorough
@pytest.mark.parametrize("form", ["eager", "jit and slack"])
@pytest.mark.parametrize("name", ARRAYS)
def test_sort_and_argsort_are_awkwards(name, form):
    array = ARRAYS[name]
    theirs = [ak.sort(array, ascending=up) for up in (True, False)]
    theirs += [ak.argsort(array, ascending=up, stable=True) for up in (True, False)]
    for our, their in zip(run(all_orders, array, form), theirs, strict=True):
        np.testing.assert_array_equal(ak.num(our), ak.num(their))
        np.testing.assert_array_equal(ak.to_numpy(ak.ravel(our)), ak.to_numpy(ak.ravel(their)))


@pytest.mark.parametrize("form", ["eager", "jit and slack"])
def test_sort_along_the_rows_is_awkwards(form):
    array = ARRAYS["ties"]
    ours = run(lambda x: [rg.sort(x, axis=0), rg.argsort(x, axis=-2, ascending=False)], array, form)
    assert ak.array_equal(ours[0], ak.sort(array, axis=0), dtype_exact=False)
    assert ak.array_equal(ours[1], ak.argsort(array, axis=-2, ascending=False, stable=True), dtype_exact=False)


@pytest.mark.parametrize("form", ["eager", "jit and slack"])
def test_sort_of_three_levels_is_awkwards(form):
    array, axes = ARRAYS["three levels"], (0, 1, 2, -1, -2, -3)
    results = run(lambda x: [rg.sort(x, axis=axis) for axis in axes], array, form)
    for axis, ours in zip(axes, results, strict=True):
        assert ak.array_equal(ours, ak.sort(array, axis=axis), dtype_exact=False), axis


def test_flat_arrays_and_records_sort_as_in_awkward():
    flat = np.array([2.0, np.nan, -1.0, 5.0], np.float32)
    np.testing.assert_array_equal(rg.sort(jnp.asarray(flat)), ak.to_numpy(ak.sort(flat)))
    np.testing.assert_array_equal(rg.argsort(jnp.asarray(flat)), ak.to_numpy(ak.argsort(flat)))
    records = ak.zip({"pt": ARRAYS["ties"], "charge": ARRAYS["integers"]})
    # Awkward cannot sort records whose offsets have 32 bits, so its result comes field by field
    ours = rg.to_awkward(rg.sort(rg.from_awkward(records)))
    for field in records.fields:
        assert ak.array_equal(ours[field], ak.sort(records[field]), dtype_exact=False)


@pytest.mark.parametrize("length", [order.LONG_ROW, order.LONG_ROW + 1])
def test_both_methods_agree_where_they_meet(length):
    array = rows([3, length, 2], RNG.integers(0, 40, length + 5).astype(np.float32))
    for form in FORMS:
        (ours,) = run(lambda x: [rg.sort(x)], array, form)
        assert ak.array_equal(ours, ak.sort(array), dtype_exact=False), form


@pytest.mark.parametrize("form", ["eager", "jit and slack"])
def test_derivative_is_the_permutation(form, x64):
    array = rows(LENGTHS, RNG.normal(size=LENGTHS.sum()))
    x = rg.from_awkward(array, capacity=500) if "slack" in form else rg.from_awkward(array)
    weight = jnp.asarray(RNG.normal(size=x.capacity))

    def loss(content):
        y = rg.sort(x.with_content(content))
        return jnp.sum(jnp.where(jnp.arange(x.capacity) < x.size, weight * y.content**2, 0.0))

    loss = jax.jit(loss) if "jit" in form else loss
    gradient = jax.grad(loss)(x.content)
    direction = jnp.asarray(RNG.normal(size=x.capacity))
    step = 1e-6
    numeric = (loss(x.content + step * direction) - loss(x.content - step * direction)) / (2 * step)
    np.testing.assert_allclose(gradient @ direction, numeric, rtol=1e-7)
    np.testing.assert_allclose(jax.jvp(loss, (x.content,), (direction,))[1], numeric, rtol=1e-7)
    curvature = jax.jvp(jax.grad(loss), (x.content,), (direction,))[1]
    # the second derivative of weight * x**2, at the place where each item ends up
    np.testing.assert_allclose(curvature * x.content, gradient * direction, rtol=1e-12)
    assert np.all(np.asarray(gradient[len(ak.ravel(array)) :]) == 0)


def test_each_tied_item_has_the_derivative_of_its_own_place():
    x = rg.from_lists([[1.0, 0.0, 1.0, 1.0], [2.0]])
    weight = jnp.array([1.0, 10.0, 100.0, 1000.0, 7.0])
    gradient = jax.grad(lambda content: jnp.sum(weight * rg.sort(x.with_content(content)).content))(x.content)
    np.testing.assert_array_equal(gradient, [10.0, 1.0, 100.0, 1000.0, 7.0])


def test_sort_under_vmap_and_scan():
    x = rg.from_awkward(ARRAYS["floats"])
    shifts = jnp.array([1.0, -1.0])
    batched = jax.vmap(lambda sign: rg.sort(x.with_content(x.content * sign)).content)(shifts)
    np.testing.assert_array_equal(batched[0], rg.sort(x).content)
    np.testing.assert_array_equal(-batched[1], rg.sort(x, ascending=False).content)
    last, _ = jax.lax.scan(lambda carry, _: (rg.sort(carry), None), x, length=2)
    np.testing.assert_array_equal(last.content, rg.sort(x).content)


def test_one_compilation_serves_all_arrays_of_a_capacity():
    traces = []

    @jax.jit
    def sort(x):
        traces.append(None)
        return rg.sort(x)

    for seed in range(3):
        lengths = np.random.default_rng(seed).poisson(4, 30)
        array = rows(lengths, np.random.default_rng(seed).normal(size=lengths.sum()).astype(np.float32))
        assert ak.array_equal(rg.to_awkward(sort(rg.from_awkward(array, capacity=200))), ak.sort(array))
    assert len(traces) == 1


def test_what_cannot_be_sorted_is_refused():
    x = rg.from_lists([[1.0, 2.0], [3.0]])
    with pytest.raises(rg.StructureError, match="axis=2 does not exist in an array of 2 dimensions"):
        rg.sort(x, axis=2)
    with pytest.raises(TypeError, match="complex numbers have no order"):
        rg.sort(x + 1j)


def test_a_regular_dimension_in_rows_is_sorted_as_well():
    x = rg.from_offsets([0, 2, 3], jnp.array([[3.0, 1.0], [2.0, 4.0], [6.0, 5.0]]))
    for run in (lambda f: f, jax.jit):
        assert rg.to_list(run(rg.sort)(x)) == [[[1.0, 3.0], [2.0, 4.0]], [[5.0, 6.0]]]
        assert rg.to_list(run(lambda x: rg.argsort(x, axis=2))(x)) == [[[1, 0], [0, 1]], [[1, 0]]]
    with pytest.raises(rg.StructureError, match="items with a regular dimension"):
        rg.sort(x, axis=1)
