"""Combinations and Cartesian products: against Awkward, sizes inside jit, and derivatives through the gathers."""

from __future__ import annotations

import dataclasses
import itertools
import math

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.ragged.structure.combinatorics import _most_combinations

pytestmark = pytest.mark.usefixtures("quick_compilation")

RNG = np.random.default_rng(21)


def rows(low, high, n=25):
    lengths = RNG.integers(low, high, n)
    return ak.unflatten(RNG.normal(size=lengths.sum()).astype(np.float32), lengths)


A, B, C = rows(0, 6), rows(0, 4), rows(0, 3)
NESTED = ak.unflatten(A, RNG.multinomial(25, [0.2] * 5))
FORMS = ("eager", "jit", "slack", "jit and slack", "capacity", "jit and capacity")


def run(function, arrays, form):
    """Apply a function of ragged arrays eagerly or jitted, to exact buffers or longer ones."""
    x = [rg.from_awkward(a, capacity=150, max_length=8) if "slack" in form else rg.from_awkward(a) for a in arrays]
    options = {"capacity": 2000} if "capacity" in form else {}

    def called(*x):
        return function(*x, **options)

    results = (jax.jit(called) if "jit" in form else called)(*x)
    return [rg.to_list(y) for y in results]


def records(value):
    """Return Awkward's lists with its tuples as what ours are: records with numbered fields."""
    if isinstance(value, tuple):
        return {str(i): records(v) for i, v in enumerate(value)}
    if isinstance(value, list):
        return [records(v) for v in value]
    return {k: records(v) for k, v in value.items()} if isinstance(value, dict) else value


def both(names, *arguments, **options):
    """Return the items and their positions, in one program."""
    return [getattr(rg, name)(*arguments, **options) for name in names]


@pytest.mark.thorough
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("replacement", [False, True])
def test_combinations_are_awkwards(replacement, form):
    names = ("combinations", "argcombinations")
    for n in (1, 2, 3, 4) if form == "eager" else (2, 3):
        ours = run(lambda x, n=n, **o: both(names, x, n, replacement=replacement, **o), [A], form)
        assert ours == [records(ak.to_list(getattr(ak, name)(A, n, replacement=replacement))) for name in names], n


@pytest.mark.thorough
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("nested", [None, True, [0], [1]])
def test_cartesian_products_are_awkwards(nested, form):
    names = ("cartesian", "argcartesian")
    ours = run(lambda *x, **o: both(names, x, nested=nested, **o), [A, B, C], form)
    assert ours == [records(ak.to_list(getattr(ak, name)([A, B, C], nested=nested))) for name in names]


@pytest.mark.thorough
@pytest.mark.parametrize("form", ["eager", "jit"])
def test_every_axis_is_awkwards(form):
    axes = (0, 1, 2, -1, -2, -3)
    ours = run(lambda x: [rg.combinations(x, 2, axis=axis) for axis in axes], [NESTED], form)
    assert ours == [records(ak.to_list(ak.combinations(NESTED, 2, axis=axis))) for axis in axes]
    ours = run(lambda x: [rg.cartesian([x, x], axis=axis) for axis in axes], [NESTED], form)
    assert ours == [records(ak.to_list(ak.cartesian([NESTED, NESTED], axis=axis))) for axis in axes]


@pytest.mark.parametrize("form", FORMS)
def test_records_keep_their_fields(form):
    jets = ak.zip({"pt": A, "charge": ak.local_index(A)})
    fields = ["first", "second"]

    def function(x, y, **options):
        return [rg.combinations(x, 2, fields=fields, **options), rg.cartesian({"jet": x, "tau": y}, **options)]

    pairs, products = ak.combinations(jets, 2, fields=fields), ak.cartesian({"jet": jets, "tau": B})
    assert run(function, [jets, B], form) == [ak.to_list(pairs), ak.to_list(products)]


@pytest.mark.parametrize("array", [ak.Array([[], []]), ak.Array([[1.0]])[:0], ak.Array([[1.0], [2.0]])])
@pytest.mark.parametrize("form", ["eager", "jit and slack"])
def test_nothing_to_combine(array, form):
    array = ak.values_astype(array, np.float32)
    expected = records(ak.to_list(ak.cartesian([array, array])))
    ours = run(lambda x: [rg.combinations(x, 2), rg.cartesian([x, x])], [array], form)
    assert ours == [[[] for _ in array], expected]


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("n", [2, 3])
def test_default_capacity_is_the_worst_case(n, replacement):
    """The bound is reached by some rows and exceeded by none (all rows of up to 3 items, tried out)."""
    for number, capacity in itertools.product(range(4), range(8)):
        worst = 0
        for lengths in itertools.product(range(4), repeat=number):
            if sum(lengths) <= capacity:
                extra = n - 1 if replacement else 0
                worst = max(worst, sum(math.comb(k + extra, n) for k in lengths if k))
        assert _most_combinations(capacity, number, 3, n, replacement) == worst


def test_default_capacity_follows_from_the_longest_row():
    x = rg.from_awkward(A, capacity=100, max_length=5)
    pairs = jax.jit(lambda x: rg.combinations(x, 2))(x)
    assert pairs.capacity == 100 // 5 * math.comb(5, 2)
    assert pairs.max_length == math.comb(5, 2)
    assert jax.jit(lambda x: rg.cartesian([x, x]))(x).capacity == 100 * 5


@pytest.mark.parametrize("n", [2, 3])
def test_overflow_names_the_operation_and_the_need(n):
    x = rg.from_awkward(A)
    needed = int(ak.sum(ak.num(ak.combinations(A, n))))
    message = f"combinations: the result needs room for {needed} items but its capacity is 5; pass capacity={needed}"
    with pytest.raises(rg.CapacityError, match=message):
        rg.combinations(x, n, capacity=5)
    with pytest.raises(jax.errors.JaxRuntimeError, match=message):
        jax.block_until_ready(jax.jit(lambda x: rg.combinations(x, n, capacity=5))(x))
    fits = jax.jit(lambda x: rg.combinations(x, n, capacity=needed))(x)
    assert int(fits.size) == needed


def test_overflow_of_products_names_the_operation_and_the_need():
    arrays = [rg.from_awkward(a) for a in (A, B, C)]
    needed = int(ak.sum(ak.num(ak.cartesian([A, B, C]))))
    with pytest.raises(jax.errors.JaxRuntimeError, match=f"cartesian: the result needs room for {needed} items"):
        jax.block_until_ready(jax.jit(lambda x: rg.cartesian(x, capacity=needed - 1))(arrays))


def test_what_cannot_be_combined_is_refused():
    x = rg.from_awkward(A)
    unbounded = dataclasses.replace(rg.from_awkward(A, capacity=100), max_length=None)
    with pytest.raises(TypeError, match=r"combinations: the size of the result is not known inside jit; pass capacity"):
        jax.jit(lambda x: rg.combinations(x, 2))(unbounded)
    with pytest.raises(rg.StructureError, match="cannot broadcast 25 with 5 rows"):
        rg.cartesian([x, rg.from_awkward(A[:5])])
    with pytest.raises(rg.StructureError, match="axis=2 does not exist"):
        rg.combinations(x, 2, axis=2)
    with pytest.raises(ValueError, match="n must be at least 1"):
        rg.combinations(x, 0)
    with pytest.raises(ValueError, match="must name 2 places"):
        rg.combinations(x, 2, fields=["a"])


def potential(x, **options):
    """Half the sum of the squared distances of all pairs in a row."""
    pairs = rg.combinations(x, 2, **options)
    return rg.sum((pairs["0"] - pairs["1"]) ** 2) / 2


@pytest.mark.thorough
@pytest.mark.parametrize("form", ["eager", "jit", "jit and slack", "jit and capacity"])
def test_harmonic_potential(form, x64):
    """Its gradient is, for each item, the row's length times the distance to the row's mean."""
    array = ak.values_astype(A, np.float64)
    x = rg.from_awkward(array, capacity=150, max_length=8) if "slack" in form else rg.from_awkward(array)
    options = {"capacity": 2000} if "capacity" in form else {}

    def energy(content, x):
        return potential(x.with_content(content), **options)

    gradient = jax.grad(energy)
    gradient = jax.jit(gradient) if "jit" in form else gradient
    result = np.asarray(gradient(x.content, x))
    expected = ak.num(array) * (array - ak.mean(array, axis=1, mask_identity=False))
    size = len(ak.ravel(array))
    np.testing.assert_allclose(result[:size], ak.to_numpy(ak.ravel(expected)), atol=1e-12)
    assert np.all(result[size:] == 0)

    direction = jnp.asarray(RNG.normal(size=x.capacity))
    step = 1e-5
    numeric = (energy(x.content + step * direction, x) - energy(x.content - step * direction, x)) / (2 * step)
    np.testing.assert_allclose(result @ np.asarray(direction), numeric, rtol=1e-7)
    forward = jax.jvp(lambda content: energy(content, x), (x.content,), (direction,))[1]
    np.testing.assert_allclose(forward, numeric, rtol=1e-7)


def test_no_nan_leaks_from_the_end_of_the_buffer():
    """Pairs behind the data are copies of an item with itself, where the distance has no derivative."""
    x = rg.from_awkward(A, capacity=150, max_length=8)

    @jax.jit
    @jax.grad
    def gradient(content, x):
        pairs = rg.combinations(x.with_content(content), 2)
        return rg.sum(np.sqrt((pairs["0"] - pairs["1"]) ** 2))

    assert np.all(np.isfinite(gradient(x.content, x)))
