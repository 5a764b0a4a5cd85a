"""Awkward's names: what makes sense without missing values works, the rest says by name what to use instead."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.ragged.functions.unsupported import INSTEAD

ROWS = [[1.0, 2.0, 3.0], [], [5.0]]
A = ak.Array(ROWS)

# what takes no array, or Awkward's own
NOT_OPERATIONS = {"from_awkward", "from_iter", "from_lists", "from_numpy"}


OPERATIONS = [
    name
    for name, function in sorted(vars(ak.operations).items())
    if callable(function) and not name.startswith("_") and getattr(ak, name, None) is function
]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_of_awkward_exists_or_says_what_to_use(name):
    if name in INSTEAD:
        with pytest.raises(AttributeError, match=f"has no {name}: "):
            getattr(rg, name)
        assert "{" not in str(INSTEAD[name].format(name=name)).replace("{'", "")
    else:
        assert callable(getattr(rg, name))


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(rg, "sum_of_everything")


def test_missing_values_are_asked_for_by_name():
    x = rg.from_lists(ROWS)
    with pytest.raises(TypeError, match=r"mask: .*array\[mask\].*fill_value="):
        rg.mask(x, x > 1)
    with pytest.raises(TypeError, match=r"pad_none: .*rg\.pad\(array, length, fill_value\)"):
        rg.pad_none(x, 2)
    for reducer in (rg.sum, rg.prod, rg.any, rg.count, rg.mean, rg.var, rg.max, rg.argmin, rg.nansum, rg.nanmax):
        assert rg.array_equal(reducer(x, axis=1, mask_identity=False), reducer(x, axis=1), equal_nan=True)
        with pytest.raises(TypeError, match="mask_identity=True gives missing values"):
            reducer(x, axis=1, mask_identity=True)
    assert rg.fill_none(x, 0.0) is x
    assert rg.drop_none(x) is x


def operations():
    for name in sorted(vars(rg)):
        function = getattr(rg, name)
        if callable(function) and not name.startswith("_") and not isinstance(function, type):
            yield name


@pytest.mark.parametrize("name", sorted(set(operations()) - NOT_OPERATIONS))
def test_an_awkward_array_is_refused_in_one_sentence(name):
    message = r"got an Awkward array; convert it once, outside jit, with rg\.from_awkward\(array\)"
    if name == "getitem":
        assert rg.to_list(rg.getitem(rg.from_lists(ROWS), A > 1)) == [[2, 3], [], [5]]
        return
    with pytest.raises(TypeError, match=message):
        getattr(rg, name)(A)
    with pytest.raises(TypeError, match=message):
        getattr(rg, name)({"a": [A]})


def test_operators_refuse_awkward_arrays_from_both_sides():
    x = rg.from_lists(ROWS)
    records = rg.zip({"a": x, "b": x})
    operators = (lambda a, b: a + b, lambda a, b: a == b, lambda a, b: a / b, np.add, np.hypot, np.greater)
    for ours in (x, rg.num(x), records, rg.zip({"a": rg.num(x)}), records[0, 0]):
        for operator in operators:
            for one, other in ((ours, A), (A, ours)):
                with pytest.raises(TypeError, match=r"Awkward.*rg\.from_awkward\(array\)"):
                    operator(one, other)


def test_to_numpy_is_awkwards():
    regular = rg.from_lists([[1.0, 2.0], [3.0, 4.0]], capacity=7)
    np.testing.assert_array_equal(rg.to_numpy(regular), [[1, 2], [3, 4]])
    records = rg.to_numpy(rg.zip({"a": rg.from_numpy([1, 2]), "b": rg.from_numpy([0.5, 1.5])}))
    assert records.tolist() == [(1, 0.5), (2, 1.5)]
    with pytest.raises(ValueError, match=r"rg\.to_padded\(array, fill_value, length\)"):
        rg.to_numpy(rg.from_lists(ROWS))
    with pytest.raises(TypeError, match="inside jit"):
        jax.jit(rg.to_numpy)(regular)


def test_to_packed_has_no_room_to_spare():
    deep = rg.from_lists([[[1.0], [2.0, 3.0]], [], [[4.0]]], capacity=[8, 16])
    packed = rg.to_packed(deep)
    assert (packed.capacity, packed.content.capacity, packed.exact) == (3, 4, True)
    assert rg.array_equal(packed, deep)
    records = rg.zip({"a": rg.from_lists(ROWS, capacity=9), "b": rg.from_lists(ROWS, capacity=9)})
    assert rg.to_packed(records).capacity == 4
    assert rg.to_list(jax.jit(rg.to_packed)(deep)) == rg.to_list(deep)


def test_equality_looks_at_structure_types_and_values():
    x = rg.from_lists(ROWS)
    assert rg.array_equal(x, rg.from_lists(ROWS, capacity=9)) is True
    assert rg.array_equal(x, rg.from_lists([[1.0, 2.0], [3.0], [5.0]])) is False
    assert rg.array_equal(x, rg.from_lists([*ROWS, []])) is False
    assert rg.array_equal(x, rg.from_lists([[1, 2, 3], [], [5]])) is False
    assert rg.array_equal(x, rg.from_lists([[1, 2, 3], [], [5]]), dtype_exact=False) is True
    assert rg.array_equal(rg.num(x), rg.num(2.0 * x)) is True
    nan = rg.where(x > 2, np.nan, x)
    assert (rg.array_equal(nan, nan), rg.array_equal(nan, nan, equal_nan=True)) == (False, True)
    assert rg.array_equal(rg.zip({"a": x, "b": x}), rg.zip({"b": x, "a": x})) is True
    assert rg.array_equal(rg.zip({"a": x}), rg.zip({"b": x})) is False
    assert (rg.almost_equal(x, x + 1e-7), rg.almost_equal(x, x + 1e-3)) == (True, False)
    # a selection inside jit has rows that are not real
    equal = jax.jit(lambda x: rg.array_equal(x[rg.num(x) > 0], rg.from_lists([ROWS[0], ROWS[2]])))
    assert bool(equal(x)) is True


def test_a_line_is_fitted_as_awkward_fits_it():
    rng = np.random.default_rng(3)
    a, b, w = (ak.unflatten(rng.normal(size=40), [12, 0, 8, 20]) for _ in range(3))
    expected = ak.linear_fit(a, b, abs(w), axis=1)
    x, y, weight = (rg.from_awkward(each) for each in (a, b, abs(w)))
    fit = jax.jit(lambda x, y, w: rg.linear_fit(x, y, w, axis=1))(x, y, weight)
    for field in expected.fields:
        np.testing.assert_allclose(fit[field], expected[field], rtol=1e-4)
    np.testing.assert_allclose(rg.corr(x, y, weight, axis=1), ak.corr(a, b, abs(w), axis=1), rtol=1e-4)
    flat = rg.linear_fit(x, y)
    np.testing.assert_allclose(flat.slope, ak.linear_fit(a, b).slope, rtol=1e-4)
    # far from zero the sums of products would leave nothing of the slope in float32
    far = rg.linear_fit(x + 1000.0, y, axis=1)
    np.testing.assert_allclose(far.slope, ak.linear_fit(a, b, axis=1).slope, rtol=1e-2)
    one = rg.linear_fit(rg.from_lists([[5.0]]), rg.from_lists([[5.0]]), axis=1)
    assert np.isnan(one.slope[0])
    assert np.isinf(one.slope_error[0])


def test_values_astype_converts_at_any_depth():
    records = rg.from_lists([[{"pt": 1.5, "hits": [1, 2]}], []])
    converted = rg.values_astype(records, np.int32)
    assert rg.to_list(converted) == [[{"pt": 1, "hits": [1, 2]}], []]
    assert rg.type(converted) == "2 * var * {pt: int32, hits: var * int32}"
    assert rg.values_astype(rg.num(records), np.uint8).dtype == jnp.uint8
    with pytest.raises(TypeError, match="arrays hold numbers and booleans"):
        rg.values_astype(records, "U5")


def test_run_lengths_group_sorted_items():
    x = rg.from_lists([[1, 1, 2], [], [2, 2, 3, 3]], capacity=11)
    expected = ak.to_list(ak.run_lengths(rg.to_awkward(x)))
    assert rg.to_list(rg.run_lengths(x)) == expected == [[2, 1], [], [2, 2]]
    assert rg.to_list(jax.jit(rg.run_lengths)(x)) == expected
    assert rg.run_lengths(jnp.array([7, 7, 7, 1, 2, 2])).tolist() == [3, 1, 2]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("values", "fill", "expected"),
    [
        ([[3, 5], [], [7]], -0.5, [3.0, -0.5, 7.0]),
        ([[3, 5], [], [7]], np.float32(0.5), [3.0, 0.5, 7.0]),
        ([[3, 5], [], [7]], -np.inf, [3.0, -np.inf, 7.0]),
        ([[True], [], [True]], -1, [1, -1, 1]),
        ([[True], [], [True]], 0.25, [1.0, 0.25, 1.0]),
        ([[1.5], [], [2.5]], 7, [1.5, 7.0, 2.5]),
    ],
)
def test_what_stands_for_nothing_is_never_cut(values, fill, expected):
    x = rg.from_lists(values)
    for firsts in (rg.firsts, jax.jit(rg.firsts, static_argnames="fill_value")):
        assert firsts(x, fill_value=fill).tolist() == expected
    assert rg.to_padded(x, fill, 2)[1].tolist() == [expected[1]] * 2
    assert rg.to_list(rg.pad(x, 1, fill))[1] == [expected[1]]
    assert rg.top_k(x, 1, fill_value=fill)[:, 0].tolist()[1] == expected[1]


def test_small_integers_grow_as_far_as_the_value_needs():
    x = rg.values_astype(rg.from_lists([[3, 5], [], [7]]), np.uint8)
    assert rg.firsts(x, fill_value=9).dtype == jnp.uint8
    assert rg.firsts(x, fill_value=-1).tolist() == [3, -1, 7]
    assert rg.firsts(x, fill_value=1000).tolist() == [3, 1000, 7]
    assert rg.max(x, axis=1, initial=-1).tolist() == [5, -1, 7]
    assert rg.max(x, axis=1, initial=4.5).tolist() == [5, 4.5, 7]
    assert rg.min(x, axis=1, initial=4.5).tolist() == [3, 4.5, 4.5]
    with pytest.raises(OverflowError, match="no integer type holds items of type uint32 as well as the value -1"):
        rg.firsts(rg.values_astype(x, np.uint32), fill_value=-1)


def test_counts_that_lose_or_repeat_items_are_refused():
    items = jnp.arange(5.0)
    for counts in ([2.5, 2.5], [True] * 5, 2.5):
        with pytest.raises(TypeError, match="counts must be integers"):
            rg.unflatten(items, counts)
    for counts, message in (([3, -1, 3], r"count 1 is negative"), ([1, 2], "add up to 3"), ([6], "add up to 6")):
        with pytest.raises(rg.StructureError, match=message):
            rg.unflatten(items, counts)
    unflatten = jax.jit(rg.unflatten)
    assert rg.to_list(unflatten(items, jnp.array([2, 0, 3], jnp.uint8))) == [[0, 1], [], [2, 3, 4]]
    for counts in ([3, -1, 3], [6, 0, 0], [2, 0, 2], [0, 0, 0], [2**30, 2**30, 2**31 - 1]):
        with pytest.raises(jax.errors.JaxRuntimeError, match="unflatten: count"):
            jax.block_until_ready(unflatten(items, jnp.array(counts)))


def test_positions_beyond_32_bits_are_refused():
    with pytest.raises(OverflowError, match="offsets reach 4294967297"):
        rg.from_offsets(np.array([0, 2**32 + 1]), jnp.ones(1))
    with pytest.raises(TypeError, match="offsets must be integers"):
        rg.from_offsets([0, 1.5], jnp.ones(2))
    with pytest.raises(IndexError, match="out of range"):
        rg.from_lists(ROWS)[2**32]


def test_traced_positions_beyond_32_bits_are_refused(x64):
    x = rg.from_lists(ROWS)
    for index, where in ((2**32, "x[i, 0]"), (2**63, "x[i, 0]")):
        pick = jax.jit(lambda x, i: rg.getitem(x, (i, 0)))
        with pytest.raises(jax.errors.JaxRuntimeError, match="out of range"):
            jax.block_until_ready(pick(x, jnp.asarray(index, jnp.uint64)))
        assert where
    with pytest.raises(jax.errors.JaxRuntimeError, match="from_offsets"):
        jax.block_until_ready(jax.jit(lambda o: rg.from_offsets(o, jnp.ones(1)).offsets)(jnp.array([0, 2**32 + 1])))


def test_pairs_of_an_array_with_capacity_need_no_sizes():
    x, other = rg.from_lists(ROWS, capacity=12), rg.from_lists([[1.0], [2.0, 3.0, 4.0, 5.0], []], capacity=12)
    assert x.max_length == other.max_length == 12
    assert rg.from_lists([[1.0] * 17, []], capacity=100).max_length == 32
    pairs = jax.jit(lambda x: (rg.combinations(x, 2), rg.cartesian([x, x]), rg.argcombinations(x, 2)))
    for result, expected in zip(
        pairs(x), (ak.combinations(A, 2), ak.cartesian([A, A]), ak.argcombinations(A, 2)), strict=True
    ):
        lists = [[tuple(item.values()) for item in row] for row in rg.to_list(result)]
        assert lists == ak.to_list(expected)
    pairs(other)
    assert pairs._cache_size() == 1
