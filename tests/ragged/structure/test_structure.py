"""Structure functions agree with Awkward: values and structure; eager, jitted with slack, and differentiated."""

from __future__ import annotations

import dataclasses

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hepgrad.ragged as rg

pytestmark = pytest.mark.usefixtures("quick_compilation")

ROWS = [[1.5, -2.0, 3.0], [], [4.0, 5.0], [6.0]]
OTHER = [[7.0], [8.0, 9.0], [], [10.0]]
DEEP = [[[1.0, 2.0], []], [], [[3.0], [4.0, 5.0, 6.0], [7.0, 8.0]], [[9.0, 10.0]]]
RECORDS = [[{"pt": v, "eta": 0.25 * v} for v in row] for row in ROWS]
EVENT = np.array([10.0, 20.0, 30.0, 40.0], np.float32)


def filled(array, length, value, **options):
    return ak.fill_none(ak.pad_none(array, length, **options), value, axis=None)


# (what Awkward does, what we do) with x, y ragged, d nested, r records, e one value per row
CASES = [
    ("ak.num(x)", "rg.num(x)"),
    ("ak.num(x, axis=0)", "rg.num(x, axis=0)"),
    ("ak.num(d, axis=2)", "rg.num(d, axis=2)"),
    ("ak.num(d, axis=-1)", "rg.num(d, axis=-1)"),
    ("ak.num(r)", "rg.num(r)"),
    ("ak.local_index(x)", "rg.local_index(x)"),
    ("ak.local_index(d, axis=1)", "rg.local_index(d, axis=1)"),
    ("ak.local_index(d)", "rg.local_index(d)"),
    ("ak.local_index(x, axis=0)", "rg.local_index(x, axis=0)"),
    ("ak.flatten(d)", "rg.flatten(d)"),
    ("ak.flatten(d, axis=2)", "rg.flatten(d, axis=2)"),
    ("ak.zip({'a': x, 'b': 2 * x})", "rg.zip({'a': x, 'b': 2 * x})"),
    ("ak.zip({'a': x, 'b': e, 'c': 1.0})", "rg.zip({'a': x, 'b': e, 'c': 1.0})"),
    ("ak.zip({'a': d, 'b': e})", "rg.zip({'a': d, 'b': e})"),
    ("ak.zip({'a': x, 'b': y, 'e': e}, depth_limit=1)", "rg.zip({'a': x, 'b': y, 'e': e}, depth_limit=1)"),
    ("ak.zip({'r': r, 'e': e})", "rg.zip({'r': r, 'e': e})"),
    ("ak.unzip(r)[1]", "rg.unzip(r)[1]"),
    ("ak.with_field(r, 2 * r.pt, 'double')", "rg.with_field(r, 2 * r.pt, 'double')"),
    ("ak.with_field(r, e, 'event')", "rg.with_field(r, e, 'event')"),
    ("ak.with_field(r, 1.0, 'one')", "rg.with_field(r, 1.0, 'one')"),
    ("ak.without_field(r, 'eta')", "rg.without_field(r, 'eta')"),
    ("ak.concatenate([x, y])", "rg.concatenate([x, y])"),
    ("ak.concatenate([x, y], axis=1)", "rg.concatenate([x, y], axis=1)"),
    ("ak.concatenate([x, y, x], axis=-1)", "rg.concatenate([x, y, x], axis=-1)"),
    ("ak.concatenate([d, d[::-1]])", "rg.concatenate([d, d[::-1]])"),
    ("ak.concatenate([d, d[::-1]], axis=1)", "rg.concatenate([d, d[::-1]], axis=1)"),
    ("ak.concatenate([d, 2 * d], axis=2)", "rg.concatenate([d, 2 * d], axis=2)"),
    ("ak.concatenate([r, r[::-1]], axis=1)", "rg.concatenate([r, r[::-1]], axis=1)"),
    ("ak.concatenate([x, e[:, np.newaxis]], axis=1)", "rg.concatenate([x, e], axis=1)"),
    ("ak.broadcast_arrays(x, e)[1]", "rg.broadcast_arrays(x, e)[1]"),
    ("ak.broadcast_arrays(d, e, 1.0)[1]", "rg.broadcast_arrays(d, e, 1.0)[1]"),
    ("e[:, np.newaxis]", "rg.singletons(e)"),
    ("e[:, np.newaxis][ak.Array([[True], [False], [True], [True]])]", "rg.singletons(e, where=e != 20.0)"),
    ("ak.fill_none(ak.firsts(x), -1.0)", "rg.firsts(x, fill_value=-1.0)"),
    ("ak.fill_none(ak.firsts(d, axis=2), -1.0)", "rg.firsts(d, fill_value=-1.0, axis=2)"),
    ("filled(x, 2, 0.5)", "rg.pad(x, 2, 0.5)"),
    ("filled(x, 2, 0.5, clip=True)", "rg.pad(x, 2, 0.5, clip=True)"),
    ("filled(d, 2, 0.5, axis=2)", "rg.pad(d, 2, 0.5, axis=2)"),
    ("filled(x, 4, -1.0, clip=True)", "rg.to_padded(x, -1.0, 4)"),
    ("ak.Array(PADDED)", "rg.to_padded(d, 0.0, 3)"),
    ("ak.where(x > 2, x, -x)", "rg.where(x > 2, x, -x)"),
    ("ak.where(d > 2, d, 0.0)", "rg.where(d > 2, d, 0.0)"),
    ("ak.where(x > 2, e, x)", "rg.where(x > 2, e, x)"),
    ("ak.zeros_like(d)", "rg.zeros_like(d)"),
    ("ak.ones_like(r)", "rg.ones_like(r)"),
    ("ak.full_like(x, 7.0)", "rg.full_like(x, 7.0)"),
    ("ak.isclose(x, 4.0, atol=1.5)", "rg.isclose(x, 4.0, atol=1.5)"),
    ("ak.nan_to_num(ak.where(x == 4, np.nan, x), nan=-1.0)", "rg.nan_to_num(rg.where(x == 4, np.nan, x), nan=-1.0)"),
]
PADDED = [[[*row[:3], *[0.0] * (3 - len(row))] for row in [*rows, *[[]] * (3 - len(rows))]] for rows in DEEP]
# results whose tail is part of them inside jit, and which are therefore not compared there
EXACT_ONLY = [("ak.flatten(x)", "rg.flatten(x)"), ("ak.flatten(d, axis=None)", "rg.ravel(d)")]


def ours(expressions, arrays):
    return [eval(e, {"rg": rg, "np": np, **arrays}) for e in expressions]


def arrays(**room):
    values = {"x": ROWS, "y": OTHER, "d": DEEP, "r": RECORDS}
    return {k: rg.from_lists(v, **room) for k, v in values.items()} | {"e": jnp.asarray(EVENT)}


def theirs():
    values = {"x": ROWS, "y": OTHER, "d": DEEP, "r": RECORDS, "e": EVENT}
    return {k: ak.values_astype(ak.Array(v), np.float32) for k, v in values.items()}


def as_list(result):
    return ak.to_list(result) if isinstance(result, ak.Array) else rg.to_list(result)


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["eager", "eager with slack", "jitted with slack"])
def test_agrees_with_awkward(how):
    cases = CASES if how.startswith("jitted") else CASES + EXACT_ONLY
    names = {"ak": ak, "np": np, "filled": filled, "PADDED": PADDED, **theirs()}
    want = {mine: as_list(eval(reference, names)) for reference, mine in cases}
    given = arrays() if how == "eager" else arrays(capacity=20)
    expressions = list(want)

    def function(given):
        return ours(expressions, given)

    found = jax.jit(function)(given) if how.startswith("jitted") else function(given)
    for expression, result in zip(expressions, found, strict=True):
        assert as_list(result) == want[expression], expression


DERIVATIVES = [
    "rg.flatten(d, axis=2)",
    "rg.zip({'a': x, 'b': e[0] * x}).b",
    "rg.concatenate([x, 2 * y, x])",
    "rg.concatenate([x, y, e], axis=1)",
    "rg.concatenate([d, d[::-1]], axis=1)",
    "rg.broadcast_arrays(x, e)[1]",
    "rg.singletons(e, where=e > 15)",
    "rg.firsts(x, fill_value=-1.0)",
    "rg.pad(x, 2, 0.5)",
    "rg.to_padded(x, -1.0, 4)",
    "rg.where(x > 2, e, x)",
    "rg.nan_to_num(x)",
    "rg.flatten(x)",
    "rg.ravel(d)",
    "rg.unflatten(rg.flatten(d), rg.num(d)).content",
]


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
def test_derivatives_with_slack():
    """Reverse and forward mode equal central differences; the end of the buffers gets nothing."""
    given = arrays(capacity=12)
    given["e"] = given["e"].astype(float)
    start = {k: v for k, v in given.items() if k != "r"}
    leaves, tree = jax.tree.flatten(start)
    floating = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    sizes = np.cumsum([leaves[i].size for i in floating])[:-1]

    def loss(numbers):
        filled = list(leaves)
        for i, part in zip(floating, jnp.split(numbers, sizes), strict=True):
            filled[i] = part
        results = ours(DERIVATIVES, jax.tree.unflatten(tree, filled))
        flat = [rg.ravel(result) for result in results]
        return sum(rg.sum(np.cos(1.0 + rg.local_index(f, axis=0)) * np.sin(f)) for f in flat)

    numbers = jnp.concatenate([leaves[i] for i in floating])
    gradient = jax.jit(jax.grad(loss))(numbers)
    steps = 1e-5 * jnp.eye(numbers.size)
    values = jax.jit(jax.vmap(loss))
    np.testing.assert_allclose(gradient, (values(numbers + steps) - values(numbers - steps)) / 2e-5, atol=1e-8)
    direction = jnp.sin(jnp.arange(numbers.size))
    forward = jax.jit(lambda v: jax.jvp(loss, (numbers,), (v,))[1])(direction)
    np.testing.assert_allclose(forward, gradient @ direction, atol=1e-9)
    for part, sized in zip(jnp.split(gradient, sizes), (DEEP, None, ROWS, OTHER), strict=True):
        if sized is not None:
            assert not np.any(part[int(ak.count(ak.Array(sized))) :])


def test_flatten_inside_jit_knows_its_length_and_fills_the_tail():
    x = rg.from_lists(ROWS, capacity=8)
    flat = jax.jit(lambda x: rg.flatten(x, fill_value=-5.0))(x)
    np.testing.assert_array_equal(flat, [1.5, -2.0, 3.0, 4.0, 5.0, 6.0])
    np.testing.assert_array_equal(flat.content, [1.5, -2.0, 3.0, 4.0, 5.0, 6.0, -5.0, -5.0])
    lists = jax.jit(rg.flatten)(rg.from_lists(DEEP, capacity=16))
    assert lists.rows == 16
    assert len(lists) == 6
    assert rg.to_list(lists) == [row for rows in DEEP for row in rows]


def test_unflatten_undoes_flatten():
    d = rg.from_lists(DEEP)

    def there_and_back(d):
        return rg.unflatten(rg.flatten(d), rg.num(d))

    for function in (there_and_back, jax.jit(there_and_back)):
        assert rg.to_list(function(d)) == DEEP
        assert rg.to_list(function(rg.from_lists(DEEP, capacity=16))) == DEEP
    assert rg.to_list(rg.unflatten(jnp.arange(4), 2)) == [[0, 1], [2, 3]]


def test_padding_adds_nothing_behind_the_data():
    for capacity in (None, [9, 16]):
        d = rg.from_lists(DEEP, capacity=capacity)
        padded = jax.jit(lambda d: rg.pad(d, 2, 0.0, axis=2))(d)
        lists = [[row + [0.0] * (2 - len(row)) for row in rows] for rows in DEEP]
        assert rg.to_list(padded) == lists
        assert int(rg.count(padded)) == sum(len(row) for rows in lists for row in rows)
    with pytest.raises(ValueError, match="axis is 1 or more"):
        rg.pad(d, 2, 0.0, axis=0)


def test_lists_that_were_counted_are_known_to_be_the_same_again():
    def there_and_back(x):
        return x * rg.unflatten(2 * rg.flatten(x), rg.num(x))

    x, slack = rg.from_lists(ROWS), rg.from_lists(ROWS, capacity=8)
    expected = [[2 * value**2 for value in row] for row in ROWS]
    for function in (there_and_back, jax.jit(there_and_back)):
        assert rg.to_list(function(x)) == rg.to_list(function(slack)) == expected
    assert "hepgrad_check" not in str(jax.make_jaxpr(there_and_back)(x))
    # other items than were counted
    for items in (rg.flatten(x)[:4], jnp.arange(8.0)):
        with pytest.raises(rg.StructureError, match=r"add up to 6|cannot broadcast"):
            rg.unflatten(items, rg.num(x))
        for array in (x, slack):
            with pytest.raises(rg.StructureError, match=r"add up to 6|cannot broadcast"):
                rg.checked(lambda array, items: rg.unflatten(items, rg.num(array)))(array, items)


def test_concatenate_after_a_selection_of_rows_inside_jit():
    x, y = (rg.from_lists(values, capacity=8) for values in (ROWS, OTHER))

    @jax.jit
    def join(x, y):
        x, y = x[rg.num(x) != 1], y[rg.num(y) > 0]
        return rg.concatenate([x, y]), rg.flatten(x), rg.num(x, axis=0), rg.pad(x, 1, 0.0), x * rg.num(x)

    joined, flat, count, padded, scaled = join(x, y)
    assert rg.to_list(joined) == [*ROWS[:3], OTHER[0], OTHER[1], OTHER[3]]
    np.testing.assert_array_equal(flat, [1.5, -2.0, 3.0, 4.0, 5.0])
    assert count == 3
    assert rg.to_list(padded) == [ROWS[0], [0.0], ROWS[2]]
    assert rg.to_list(scaled) == [[4.5, -6.0, 9.0], [], [8.0, 10.0]]


def test_exact_stays_exact():
    x = rg.from_lists(ROWS)
    for expression in ("rg.concatenate([x, x])", "rg.concatenate([x, x], axis=1)", "rg.singletons(e)", "x[::-1]"):
        result = jax.jit(lambda x, e, code=expression: eval(code, {"rg": rg, "x": x, "e": e}))(x, jnp.asarray(EVENT))
        assert result.exact, expression


def test_integers_and_booleans_keep_their_type():
    x = rg.from_lists([[1, 2], [], [3]])
    assert rg.flatten(x).dtype == rg.pad(x, 2, 0).content.dtype == rg.firsts(x, fill_value=0).dtype == jnp.int32
    assert rg.concatenate([x > 1, x > 2], axis=1).content.dtype == bool
    assert rg.zeros_like(x, dtype=jnp.float32).content.dtype == jnp.float32


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: rg.num(x, axis=2), ValueError, "num: the array has no lists at this axis"),
        (lambda x: rg.num(x, axis=-3), ValueError, "axis=-3 is out of range for an array with 2 axes"),
        (lambda x: rg.unflatten(jnp.arange(4), [2, 1]), rg.StructureError, "counts add up to 3, but there are 4 items"),
        (lambda x: rg.unflatten(jnp.arange(4), 3), rg.StructureError, "4 items cannot be divided into lists of 3"),
        (lambda x: rg.zip({"a": x, "b": jnp.arange(3)}), rg.StructureError, "zip: cannot broadcast 4 rows with 3"),
        (lambda x: rg.zip({"a": x, "b": x[:3]}), rg.StructureError, "zip: cannot broadcast 4 rows with 3"),
        (lambda x: rg.zip({"a": x, "b": x[::-1]}), rg.StructureError, "row 0 has 3 items in one and 1 in the other"),
        (lambda x: rg.zip({}), ValueError, "at least one field"),
        (lambda x: rg.with_field(x, x, "a"), TypeError, "use rg.zip"),
        (lambda x: rg.without_field(rg.zip({"a": x}), "b"), KeyError, "no field 'b'"),
        (lambda x: rg.concatenate([x, x[:2]], axis=1), rg.StructureError, "cannot join 4 rows with 2"),
        (lambda x: rg.concatenate([x, jnp.arange(3)]), rg.StructureError, "same number of list levels"),
        (lambda x: rg.concatenate([x, rg.zip({"a": x})]), rg.StructureError, "one array has the fields"),
        (lambda x: rg.to_padded(x, length=2), rg.CapacityError, "a row has 3 items but length=2"),
        (lambda x: rg.with_capacity(x, 3), rg.CapacityError, "needs room for 6 items but its capacity is 3"),
        (lambda x: rg.pad(x, 2, 0.0, capacity=5), rg.CapacityError, "pad: the result needs room for 9 items"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call(rg.from_lists(ROWS))


def test_errors_inside_jit():
    x = rg.from_lists(ROWS, capacity=8)
    with pytest.raises(Exception, match=r"to_padded.*room for 3 items but its capacity is 2"):
        jax.jit(lambda x: rg.to_padded(x, length=2))(x).block_until_ready()
    with pytest.raises(TypeError, match="the longest row is not known inside jit; pass length"):
        jax.jit(rg.to_padded)(dataclasses.replace(x, max_length=None))
    with pytest.raises(Exception, match="with_capacity: the result needs room for 6"):
        jax.jit(lambda x: rg.with_capacity(x, 4))(x).offsets.block_until_ready()
