"""Segment kernels against NumPy: accuracy, corners, the unused end of a buffer."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.ragged.reduce import sums
from hepgrad.ragged.reduce.products import prod_by_id

pytestmark = pytest.mark.usefixtures("quick_compilation")

KERNELS = {
    "sum": (rg.segment_sum, np.sum, 0.0),
    "max": (rg.segment_max, np.max, -np.inf),
    "min": (rg.segment_min, np.min, np.inf),
    "prod": (rg.segment_prod, np.prod, 1.0),
}


def random_rows(counts, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=int(np.sum(counts))).astype(np.float32)
    return rg.from_offsets(np.append(0, np.cumsum(counts)), values), np.split(values, np.cumsum(counts)[:-1])


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("counts", [[3, 0, 2, 5], [0, 0], [1], [0, 7, 0]])
def test_values(name, counts):
    kernel, numpy, nothing = KERNELS[name]
    x, parts = random_rows(counts)
    expected = [numpy(part) if len(part) else nothing for part in parts]
    np.testing.assert_allclose(kernel(x.content, x), expected, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(kernel)(x.content, x), expected, rtol=1e-6)
    pair = jnp.stack([x.content, 2 * x.content], axis=1)
    assert kernel(pair, x).shape == (len(counts), 2)


@pytest.mark.thorough
@pytest.mark.parametrize("rows", [1, 3, 100_000])
def test_float32_sum_of_ten_million(rows):
    rng = np.random.default_rng(1)
    values = rng.uniform(0, 1, 10_000_000).astype(np.float32)
    cuts = np.sort(rng.integers(0, len(values), rows - 1))
    offsets = np.concatenate([[0], cuts, [len(values)]])
    known = rg.from_offsets(offsets, values)
    unknown = rg.RaggedArray(known.offsets, known.row_ids, known.content)
    expected = np.add.reduceat(np.append(values, 0).astype(float), offsets[:-1]) * (np.diff(offsets) > 0)
    for result in (rg.segment_sum(known.content, known), jax.jit(rg.segment_sum)(unknown.content, unknown)):
        np.testing.assert_allclose(result, expected, rtol=1e-5)
    np.testing.assert_allclose(rg.sum(known), values.sum(dtype=float), rtol=1e-6)


def test_float32_sum_in_any_order():
    values = np.random.default_rng(2).uniform(0, 1, 4_000_000).astype(np.float32)
    ids = np.arange(len(values)) % 3
    expected = np.bincount(ids, values.astype(float))
    np.testing.assert_allclose(sums.sum_by_id(jnp.asarray(values), jnp.asarray(ids), 3), expected, rtol=1e-5)


def test_integers_stay_exact():
    x = rg.from_lists([[2**30, 1, -(2**30)], [], [7, 7]])
    np.testing.assert_array_equal(rg.segment_sum(x.content, x), [1, 0, 14])
    np.testing.assert_array_equal(rg.segment_max(x.content, x), [2**30, np.iinfo(np.int32).min, 7])
    flags = jnp.ones(5, bool)
    assert rg.segment_sum(flags, x).dtype == jnp.int32 and rg.segment_sum(flags, x)[0] == 3
    with pytest.raises(TypeError, match="have an order"):
        rg.segment_max(flags + 1j, x)


@pytest.mark.thorough
@pytest.mark.parametrize("name", KERNELS)
def test_unused_end_of_the_buffer(name):
    kernel = KERNELS[name][0]
    x = rg.from_lists([[2.0, 0.0, 3.0], [0.0, 0.0, 4.0], [], [5.0, 5.0]], capacity=12)
    exact = rg.from_lists([[2.0, 0.0, 3.0], [0.0, 0.0, 4.0], [], [5.0, 5.0]])
    weight = jnp.array([1.0, 2.0, 0.0, 4.0])
    for junk in (jnp.nan, jnp.inf, 0.0):
        content = x.content.at[8:].set(junk)

        def loss(c, rows=x):
            return jnp.sum(jnp.where(weight > 0, kernel(c, rows), 0) * weight)

        np.testing.assert_array_equal(kernel(content, x), kernel(exact.content, exact))
        gradient = jax.grad(loss)(content)
        np.testing.assert_array_equal(gradient[8:], 0)
        np.testing.assert_array_equal(gradient[:8], jax.grad(lambda c: loss(c, exact))(exact.content))
        for second in (jax.jacfwd, jax.jacrev):
            hessian = second(jax.grad(loss))(content)
            np.testing.assert_array_equal(hessian[8:], 0)
            np.testing.assert_array_equal(hessian[:, 8:], 0)


def test_product_derivatives_with_zeros(x64):
    """The product is multilinear: every mixed derivative is the product of the items left over."""
    rows = [[2.0, 0.0, 3.0], [0.0, 0.0, 4.0], [0.0], [5.0, 0.5], [0.0, 0.0, 0.0, 2.0]]
    x = rg.from_lists(rows)
    starts = np.append(0, np.cumsum([len(r) for r in rows]))

    def loss(c):
        return jnp.sum(rg.segment_prod(c, x))

    gradient, hessian = np.zeros(13), np.zeros((13, 13))
    third = np.zeros((13, 13, 13))
    for row, start in zip(rows, starts, strict=False):
        for i in range(len(row)):
            gradient[start + i] = np.prod(np.delete(row, i))
            for j in set(range(len(row))) - {i}:
                hessian[start + i, start + j] = np.prod(np.delete(row, [i, j]))
                for k in set(range(len(row))) - {i, j}:
                    third[start + i, start + j, start + k] = np.prod(np.delete(row, [i, j, k]))
    np.testing.assert_allclose(jax.grad(loss)(x.content), gradient)
    np.testing.assert_allclose(jax.jacfwd(loss)(x.content), gradient)
    for outer in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(jax.jit(outer(jax.grad(loss)))(x.content), hessian)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(jax.jacfwd(jax.grad(loss))))(x.content), third)


def test_product_in_any_order():
    ids = jnp.array([2, 0, 1, 2, 0, 5, 2])
    values = jnp.array([2.0, 3.0, 5.0, 7.0, 11.0, jnp.nan, 0.0])
    np.testing.assert_allclose(prod_by_id(values, ids, 4), [33, 5, 0, 1])
    np.testing.assert_allclose(jax.grad(lambda v: prod_by_id(v, ids, 4).sum())(values), [0, 11, 1, 0, 3, 0, 14])


def test_one_program_for_all_batches():
    traces = []

    @jax.jit
    def total(x):
        traces.append(1)
        return rg.segment_sum(x.content, x), rg.segment_prod(x.content, x)

    for lists in ([[1.0], [2.0, 3.0]], [[], [4.0]], [[1.0, 2.0, 3.0], []]):
        total(rg.from_lists(lists, capacity=5, max_length=4))
    assert len(traces) == 1
