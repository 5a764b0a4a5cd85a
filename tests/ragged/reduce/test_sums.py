"""Sums are as accurate for millions of equal items as for ten, in float32 as in 16 bits, forward and backward."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg

HALVES = pytest.mark.parametrize("half", [jnp.float16, jnp.bfloat16], ids=["float16", "bfloat16"])
MANY = 300_000
TENTH = float(np.float32(0.1))


def one_long_row(counts: list[int], *, bounded: bool) -> rg.RaggedArray:
    x = rg.from_offsets(np.cumsum([0, *counts]), np.full(sum(counts), 0.1, np.float32))
    return x if bounded else dataclasses.replace(x, max_length=None)


@pytest.mark.parametrize("bounded", [True, False], ids=["longest known", "longest unknown"])
@pytest.mark.parametrize("counts", [[10_000], [3, 0, 32_768, 1], [2, MANY, 0]], ids=str)
def test_equal_items_add_up_to_one_part_in_a_hundred_thousand(counts, bounded):
    x = one_long_row(counts, bounded=bounded)
    total = jax.jit(lambda x: rg.sum(x, axis=1))(x)
    np.testing.assert_allclose(total, TENTH * np.array(counts), rtol=1e-5)
    np.testing.assert_allclose(rg.sum(x), TENTH * sum(counts), rtol=1e-5)
    np.testing.assert_allclose(rg.mean(x, axis=1), np.where(np.array(counts) > 0, TENTH, np.nan), rtol=1e-5)


@pytest.mark.slow
def test_ten_million_equal_items_add_up():
    x = one_long_row([10_000_000], bounded=True)
    np.testing.assert_allclose(rg.sum(x, axis=1), [TENTH * 1e7], rtol=1e-5)


@pytest.mark.parametrize("width", [1, 600], ids=["few columns", "many columns"])
def test_columns_add_up_whatever_room_there_is(width):
    rows = MANY // width
    x = rg.from_offsets(np.arange(rows + 1) * width, np.full(rows * width, 0.1, np.float32))
    for bounded in (dataclasses.replace(x, max_length=None), rg.with_capacity(x, rows * width + 64)):
        total = jax.jit(lambda x: rg.sum(x, axis=0))(bounded)
        np.testing.assert_allclose(total[:width], np.full(width, TENTH * rows), rtol=1e-5)
        assert not np.any(total[width:])


def test_lists_of_lists_add_up():
    inner = np.full(MANY, 0.1, np.float32)
    outer = rg.from_offsets([0, MANY // 3, MANY // 3], rg.from_offsets(np.arange(MANY // 3 + 1) * 3, inner))
    for d in (outer, dataclasses.replace(outer, max_length=None)):
        total = jax.jit(lambda d: rg.sum(d, axis=1))(d)
        np.testing.assert_allclose(rg.to_list(total)[0], [TENTH * (MANY // 3)] * 3, rtol=1e-5)


def test_what_many_items_send_back_to_their_row_adds_up():
    x = one_long_row([MANY, 2], bounded=True)
    slope = jax.grad(lambda w: rg.sum(x * w))(jnp.ones(2))
    np.testing.assert_allclose(slope, TENTH * np.array([MANY, 2]), rtol=1e-5)


@pytest.mark.thorough
@HALVES
def test_sixteen_bits_do_not_saturate(half):
    x = rg.from_offsets([0, 4096, 4096, 4098], jnp.ones(4098, half))
    assert rg.sum(x, axis=1).dtype == half
    assert rg.sum(x, axis=1).tolist() == [4096, 0, 2]
    assert rg.sum(x, axis=0).tolist()[:3] == [2, 2, 1]
    assert rg.mean(x, axis=1).tolist()[::2] == [1, 1]
    assert rg.var(x, axis=1).tolist()[::2] == [0, 0]
    assert rg.moment(x, 2, axis=1).tolist()[::2] == [1, 1]
    assert rg.count_nonzero(x, axis=1).tolist() == [4096, 0, 2]
    assert rg.segment_sum(x.content, x).tolist() == [4096, 0, 2]
    assert rg.cumsum(x).content[4095] == 4096
    np.testing.assert_allclose(rg.sum(rg.values_astype(rg.softmax(x), np.float32), axis=1), [1, 0, 1], rtol=1e-2)
    np.testing.assert_allclose(rg.logsumexp(x, axis=1).astype(float)[0], 1 + np.log(4096), rtol=1e-2)


@HALVES
def test_the_mean_of_large_numbers_in_sixteen_bits_does_not_overflow(half):
    x = rg.from_offsets([0, 3], jnp.full(3, 40_000.0, half))
    np.testing.assert_allclose(rg.mean(x, axis=1).astype(float), [40_000], rtol=1e-2)
    # nor does a product on its way to a number that fits
    product = rg.prod(rg.from_offsets([0, 4], jnp.array([200.0, 200.0, 200.0, 0.001], half)), axis=1)
    np.testing.assert_allclose(product.astype(float), [8000], rtol=2e-2)


@HALVES
def test_derivatives_in_sixteen_bits_do_not_saturate(half):
    x = rg.from_offsets([0, 4096], jnp.ones(4096, half))
    broadcast = jax.grad(lambda w: rg.sum(rg.values_astype(x * w, np.float32)))(jnp.ones(1, half))
    taken = jax.grad(lambda v: rg.sum(rg.values_astype(rg.from_offsets([0, 1], v)[[0] * 4096], np.float32)))
    assert broadcast.tolist() == [4096]
    assert taken(jnp.ones(1, half)).tolist() == [4096]
    # the derivative of a maximum is shared by all that are equal
    shared = rg.grad(lambda x: rg.sum(rg.max(x, axis=1)))(x).content
    np.testing.assert_allclose(shared.astype(np.float32), 1 / 4096, rtol=1e-2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32])
def test_integers_of_every_kind_have_extremes(dtype):
    lists = [[3, 5], [], [7]]
    x = rg.values_astype(rg.from_lists(lists), dtype)
    limits = np.iinfo(dtype)
    assert (int(rg.min(x)), int(rg.max(x)), int(rg.argmin(x)), int(rg.argmax(x)), int(rg.ptp(x))) == (3, 7, 0, 2, 4)
    assert rg.min(x, axis=1).tolist() == [3, limits.max, 7]
    assert rg.max(x, axis=1).tolist() == [5, limits.min, 7]
    assert rg.argmin(x, axis=1).tolist() == [0, -1, 0]
    assert rg.ptp(x, axis=1).tolist() == [2, 0, 0]
    assert rg.to_list(rg.sort(x, ascending=False)) == [[5, 3], [], [7]]
    assert jax.jit(rg.min)(x) == 3
    np.testing.assert_allclose(rg.var(x, axis=1)[::2], [1, 0])
    # differences of unsigned numbers are never negative
    assert rg.to_list(rg.soft_rank(x, temperature=0.01)) == [[0, 1], [], [0]]
    assert rg.to_list(rg.soft_sort(x, temperature=0.01, ascending=False)) == [[5, 3], [], [7]]


def test_smooth_functions_keep_to_strict_promotion():
    x = rg.from_lists([[3.0, 1.0, 2.0], [], [5.0]])
    with jax.numpy_dtype_promotion("strict"):
        assert rg.to_list(rg.soft_sort(x, temperature=0.01)) == [[1, 2, 3], [], [5]]
        assert rg.to_list(rg.soft_rank(x, temperature=0.01)) == [[2, 0, 1], [], [0]]
        assert rg.softmin(x, temperature=0.01).tolist() == [1, np.inf, 5]
        assert rg.soft_argmax(x, temperature=0.01).tolist() == [0, -1, 0]
        assert rg.firsts(x, fill_value=-1).tolist() == [3, -1, 5]
        assert rg.nanmean(x, axis=1).tolist()[::2] == [2, 5]
        np.testing.assert_allclose(rg.covar(x, x, axis=1)[::2], [2 / 3, 0], atol=1e-6)
