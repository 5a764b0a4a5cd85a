"""Running sums and products, exclusive products, the largest few, the closest partner: against loops in NumPy."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.ragged.probability import scan

ROWS = [[2.0, 0.0, 3.0, -1.0], [], [0.5], [0.0, 4.0, 0.0], [1.5, 2.5], [], [0.0]]
SIZE = sum(map(len, ROWS))


def others(row):
    return [np.prod(np.delete(row, i)) for i in range(len(row))]


SCANS = {
    "cumsum": (rg.cumsum, np.cumsum),
    "cumprod": (rg.cumprod, np.cumprod),
    "exclusive_cumprod": (rg.exclusive_cumprod, lambda row: np.cumprod([1, *row])[:-1]),
    "exclusive_prod": (rg.exclusive_prod, others),
}


def slack(max_length=None, junk=jnp.nan):
    x = rg.from_lists(ROWS, capacity=SIZE + 6, max_length=max_length)
    return x.with_content(x.content.at[SIZE:].set(junk))


@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("max_length", [None, 4])
def test_scans(name, max_length):
    ours, numpy = SCANS[name]
    expected = [list(numpy(np.array(row))) if row else [] for row in ROWS]
    for result in (ours(rg.from_lists(ROWS)), ours(slack(max_length)), jax.jit(ours)(slack(max_length))):
        assert rg.to_list(result) == expected
    nested = rg.from_lists([[ROWS[0], []], [], [ROWS[3]]])
    assert rg.to_list(ours(nested)) == [[expected[0], []], [], [expected[3]]]


@pytest.mark.thorough
@pytest.mark.parametrize("name", SCANS)
def test_scan_derivatives(name, x64):
    """Running sums and products are polynomials of the items: central differences are exact up to rounding."""
    ours = SCANS[name][0]
    x = slack(4)
    weight = jnp.where(jnp.arange(SIZE + 6) < SIZE, jnp.cos(jnp.arange(SIZE + 6.0)), 0)

    def loss(content):
        return jnp.sum(jnp.where(weight == 0, 0, ours(x.with_content(content)).content) * weight)

    reverse, forward, twice, again = jax.jit(
        lambda c: (jax.grad(loss)(c), jax.jacfwd(loss)(c), jax.jacrev(jax.grad(loss))(c), jax.jacfwd(jax.grad(loss))(c))
    )(x.content)
    nudges = 1e-4 * jnp.eye(SIZE + 6)[:SIZE]
    first, second = jax.jit(
        jax.vmap(
            lambda d: jax.tree.map(
                lambda a, b: (a - b) / 2e-4, *(jax.value_and_grad(loss)(x.content + s * d) for s in (1, -1))
            )
        )
    )(nudges)
    np.testing.assert_allclose(reverse, forward, atol=1e-12)
    np.testing.assert_allclose(reverse[:SIZE], first, atol=1e-6)
    np.testing.assert_allclose(twice, again, atol=1e-12)
    np.testing.assert_allclose(twice[:SIZE], second, atol=1e-6)
    np.testing.assert_array_equal(reverse[SIZE:], 0)
    np.testing.assert_array_equal(twice[SIZE:], 0)


@pytest.mark.parametrize("count", [31, 32, 33, 1500])
def test_long_rows_without_a_bound(count):
    """Beyond the lengths in `LOOK_AT` the program decides while it runs how far to go."""
    assert scan.LOOK_AT == (32, 1024)
    lists = [[1.0] * count, [], [1.0, 1.0]]
    x = rg.from_lists(lists, capacity=count + 50)
    total, gradient = jax.jit(jax.value_and_grad(lambda c: rg.sum(rg.cumsum(x.with_content(c)))))(x.content)
    assert total == count * (count + 1) / 2 + 3
    np.testing.assert_array_equal(gradient[:count], np.arange(count, 0, -1))


def test_running_sums_of_integers_and_flat_arrays():
    assert rg.to_list(rg.cumsum(rg.from_lists([[True, True], [], [True]]))) == [[1, 2], [], [1]]
    np.testing.assert_array_equal(rg.cumprod(jnp.array([1, 2, 3])), [1, 2, 6])


def test_infinite_items_stay_in_their_row():
    x = rg.from_lists([[1.0, np.inf], [2.0, 3.0]])
    gradient = jax.grad(lambda c: rg.cumprod(x.with_content(c)).content[2:].sum())(x.content)
    np.testing.assert_array_equal(gradient[2:], [4, 2])


@pytest.mark.thorough
@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k(k):
    expected = [(sorted(row, reverse=True) + [-7.0] * k)[:k] for row in ROWS]
    for x in (rg.from_lists(ROWS), slack()):
        np.testing.assert_array_equal(rg.top_k(x, k, fill_value=-7), expected)
        np.testing.assert_array_equal(jax.jit(lambda x: rg.top_k(x, k, fill_value=-7))(x), expected)
        where = np.asarray(rg.argtop_k(x, k))
        picked = [[row[i] if i >= 0 else -7.0 for i in at] for row, at in zip(ROWS, where, strict=True)]
        np.testing.assert_array_equal(picked, expected)
        gradient = jax.grad(lambda c, x=x: rg.top_k(x.with_content(c), k, fill_value=0).sum())(x.content)
        assert gradient.sum() == sum(min(k, len(row)) for row in ROWS)
        np.testing.assert_array_equal(gradient[SIZE:], 0)


@pytest.mark.usefixtures("quick_compilation")  # which rounds a distance otherwise in each loop that computes it
def test_nearest_records_by_angle():
    rng = np.random.default_rng(3)
    counts_x, counts_y = rng.integers(0, 5, 40), rng.integers(0, 4, 40)

    def particles(counts, capacity=None):
        eta, phi = rng.normal(size=counts.sum()), rng.uniform(-np.pi, np.pi, counts.sum())
        lists, start = [], 0
        for n in counts:
            lists.append(
                [{"eta": e, "phi": p} for e, p in zip(eta[start : start + n], phi[start : start + n], strict=True)]
            )
            start += n
        return lists

    def metric(a, b):
        dphi = jnp.arctan2(jnp.sin(a.phi - b.phi), jnp.cos(a.phi - b.phi))
        return (a.eta - b.eta) ** 2 + dphi**2

    def closest(a, row):
        distances = [
            (a["eta"] - b["eta"]) ** 2 + ((a["phi"] - b["phi"] + np.pi) % (2 * np.pi) - np.pi) ** 2 for b in row
        ]
        return int(np.argmin(distances)) if row else -1

    xs, ys = particles(counts_x), particles(counts_y)
    expected = [[closest(a, row) for a in items] for items, row in zip(xs, ys, strict=True)]
    assert rg.to_list(rg.nearest(rg.from_lists(xs), rg.from_lists(ys), metric)) == expected
    loose_x, loose_y = rg.from_lists(xs, capacity=150), rg.from_lists(ys, capacity=120, max_length=3)
    assert rg.to_list(jax.jit(lambda x, y: rg.nearest(x, y, metric))(loose_x, loose_y)) == expected
    loose_x, loose_y = (dataclasses.replace(array, max_length=None) for array in (loose_x, loose_y))
    assert rg.to_list(jax.jit(lambda x, y: rg.nearest(x, y, metric, capacity=300))(loose_x, loose_y)) == expected
    with pytest.raises(TypeError, match="pass capacity="):
        jax.jit(lambda x, y: rg.nearest(x, y, metric))(loose_x, loose_y)
    with pytest.raises(rg.CapacityError, match="nearest"):
        rg.nearest(loose_x, loose_y, metric, capacity=3)
    with pytest.raises(rg.StructureError, match="one number for each"):
        rg.nearest(loose_x, loose_y, lambda a, b: 0.0)
    with pytest.raises(rg.StructureError, match="cannot broadcast 40 rows with 1"):
        rg.nearest(loose_x, rg.from_lists([[1.0]]), metric)


def test_errors():
    with pytest.raises(TypeError, match="pick one of the fields"):
        rg.cumsum(rg.from_lists([[{"pt": 1.0}]]))
    with pytest.raises(TypeError, match="top_k: needs a ragged array"):
        rg.top_k(jnp.ones(3), 2, fill_value=0)


@pytest.mark.parametrize("function", [rg.softmax, rg.cumsum, rg.cumprod, rg.exclusive_cumprod, rg.exclusive_prod])
def test_what_keepdims_leaves_keeps_its_axis(function):
    """A regular dimension of one item is a list of one item, also in what goes item by item."""
    largest = rg.max(rg.from_lists([[3.0, 1.0], [2.0], [4.0, 5.0]]), axis=1, keepdims=True)
    assert rg.to_list(function(largest)) == rg.to_list(function(rg.from_lists([[3.0], [2.0], [5.0]])))
