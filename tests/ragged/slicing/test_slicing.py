"""Indexing agrees with Awkward: values, structure and errors; eager, jitted, jitted with slack, and differentiated."""

from __future__ import annotations

import dataclasses

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hepgrad.ragged as rg

pytestmark = pytest.mark.usefixtures("quick_compilation")

ROWS = [[1.5, -2.0, 3.0], [], [4.0, 5.0], [6.0], [], [-7.0, 8.0, 9.0, 10.0]]
FULL = [row or [0.5] for row in ROWS]
DEEP = [[[1.0, 2.0], []], [], [[3.0], [4.0, 5.0, 6.0], [7.0, 8.0]], [[9.0, 10.0]]]
DEEP_FULL = [[[1.0, 2.0], [0.5, 0.25, 0.75]], [[3.0, 4.0]], [[3.0, 1.0], [4.0, 5.0, 6.0], [7.0, 8.0]]]
THREE = [[DEEP[0], DEEP[2]], [], [DEEP[3]]]
RECORDS = [[{"pt": v, "charge": int(v)} for v in row] for row in ROWS]

# `ak` is Awkward for the expected result and `hepgrad.ragged` for ours
CASES = {
    "rows": (ROWS, "x[1:]; x[:-1]; x[:3]; x[::-1]; x[::2]; x[1::-1]; x[-2:]; x[4:1:-2]; x[5:2]; x[...]"),
    "inside": (
        ROWS,
        "x[:, ::-1]; x[:, 1:]; x[:, :2]; x[:, -2:]; x[:, :-1]; x[:, ::2]; x[:, -2::-1]; x[:, 2:0:-1]; "
        "x[..., ::-1]; x[1:, ::-1]; x[::-1, 1:]; x[:, 3:1]; x[:, -3:2]; x[:, 1:-1]",
    ),
    "integers": (
        FULL,
        "x[2, 1]; x[-1, -1]; x[:, 0]; x[:, -1]; x[1:3, 0]; x[[2, 2, 0]]; x[[2, 2, 0], ::-1]; x[[-1, 0]]; "
        "x[[2, 0], [1, 0]]; x[[2, 0], 1]; x[2, [1, 0]]; x[[5, 0, 2]][:, [1, 0]]; x[[2, 0], :1]; "
        "x[np.array([0, 0, 3])]; x[[], 1:]; x[..., 0]",
    ),
    "masks": (
        ROWS,
        "x[x > 2]; x[x > 100]; x[x > 2][:, ::-1]; x[:, ::-1][x[:, ::-1] > 2]; x[np.zeros(6, bool)]; "
        "x[np.array([True, False, True, True, False, True])]; x[ak.num(x) > 1]; x[ak.num(x) > 1][::-1]; "
        "x[ak.num(x) > 1][1:]; x[ak.num(x) > 1][-2:, ::-1]; x[ak.num(x) > 1][-1, -1]; x[ak.local_index(x)]; "
        "x[[[0, -1], [], [1, 1, 0], [], [], [-4]]]",
    ),
    "new axes": (ROWS, "x[np.newaxis]; x[:, np.newaxis]; x[..., np.newaxis]; x[1:, :, np.newaxis]"),
    "deep": (
        DEEP,
        "x[::-1]; x[1:]; x[:2]; x[:, ::-1]; x[..., ::-1]; x[:, 1:]; x[:, :, -1:]; x[:, ::-1, ::-1]; x[x > 2.5]; "
        "x[ak.num(x, axis=2) > 1]; x[ak.num(x, axis=2) > 1][:, :, 0]; x[[2, 2, 0], ::-1]; "
        "x[np.array([True, False, True, False])]; x[2]; x[2:, 1:, 0]",
    ),
    "deep integers": (
        DEEP_FULL,
        "x[:, 0]; x[:, :, 0]; x[:, 0, -1]; x[:, 0, 1:]; x[[2, 0], [1, 0]]; x[[2, 0], [1, 0], [2, 1]]; "
        "x[2, 1, 2]; x[[2, 2], 0]; x[:, :, [1, 0]]",
    ),
    "three levels": (
        THREE,
        "x[::-1]; x[:, :, ::-1]; x[x > 2]; x[:, :, :, 1:]; x[np.array([True, False, True])]; x[[2, 0]]",
    ),
    "records": (RECORDS, "x.pt; x[['pt']]; x[::-1]; x[x.pt > 2]; x[x.pt > 2].charge; x['pt', 1:]; x[[0, 0, 2], ::-1]"),
}


def evaluate(expressions, x, module):
    return [eval(expression, {"x": x, "np": np, "ak": module}) for expression in expressions]


@pytest.mark.thorough
@pytest.mark.parametrize("group", CASES)
def test_values_and_structure(group):
    values, text = CASES[group]
    expressions = text.split("; ")
    want = dict(zip(expressions, map(ak.to_list, evaluate(expressions, ak.Array(values), ak)), strict=True))
    exact, slack = rg.from_lists(values), rg.from_lists(values, capacity=30)
    bounded = rg.from_lists(values, capacity=30, max_length=5)

    def function(x):
        return evaluate(expressions, x, rg)

    results = {
        "eager": function(exact),
        "eager with slack": function(slack),
        "jitted": jax.jit(function)({"rows": exact, "integers": slack, "masks": slack}.get(group, bounded)),
        "closed over": jax.jit(lambda: function(exact))(),
    }
    for how, found in results.items():
        assert dict(zip(expressions, map(rg.to_list, found), strict=True)) == want, how


DERIVATIVES = {
    "flat": (
        FULL,
        "x[1:]; x[:-2]; x[::-2]; x[:, ::-1]; x[:, 1:]; x[2, 1]; x[:, -1]; x[[2, 2, 0], ::-1]; x[x > 2]; "
        "x[ak.num(x) > 1][::-1]; x[ak.local_index(x)]",
    ),
    "deep": (DEEP, "x[1:]; x[:2]; x[:, ::-1]; x[..., 1:]; x[x > 2.5]; x[ak.num(x, axis=2) > 1][:, :, 0]"),
}


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("group", DERIVATIVES)
def test_derivatives_with_slack(group):
    """Reverse and forward mode equal central differences; the end of the buffer gets nothing."""
    values, text = DERIVATIVES[group]
    expressions = text.split("; ")
    x = rg.from_lists(values, capacity=24)
    leaves, tree = jax.tree.flatten(x)
    place = next(i for i, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.inexact))

    @jax.jit
    def loss(numbers):
        array = jax.tree.unflatten(tree, [*leaves[:place], numbers, *leaves[place + 1 :]])
        flat = [rg.ravel(result) for result in evaluate(expressions, array, rg)]
        return sum(rg.sum(np.cos(1.0 + rg.local_index(f, axis=0)) * np.sin(f)) for f in flat)

    start = jnp.asarray(leaves[place])
    steps = 1e-5 * jnp.eye(start.size)
    numeric = (jax.vmap(loss)(start + steps) - jax.vmap(loss)(start - steps)) / 2e-5
    gradient = jax.jit(jax.grad(loss))(start)
    np.testing.assert_allclose(gradient, numeric, atol=1e-8)
    size = int(ak.count(ak.Array(values)))
    assert not np.any(gradient[size:])
    direction = jnp.sin(jnp.arange(start.size))
    forward = jax.jit(lambda v: jax.jvp(loss, (start,), (v,))[1])(direction)
    np.testing.assert_allclose(forward, gradient @ direction, atol=1e-10)


def test_unselected_rows_get_no_gradient():
    """Awkward's JAX backend leaks cotangents into rows that ``x[::2]`` leaves out."""
    x = rg.from_lists(ROWS)
    gradient = jax.grad(lambda content: x.with_content(content)[::2].content.sum())(x.content)
    np.testing.assert_array_equal(gradient, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0])


def test_scalars_in_reverse_mode():
    x = rg.from_lists(FULL)
    value, gradient = jax.value_and_grad(lambda content: x.with_content(content)[2, 1] ** 2)(x.content)
    assert value == 25.0
    np.testing.assert_array_equal(gradient, np.where(np.asarray(x.content) == 5.0, 10.0, 0.0))
    first = jax.grad(lambda content: rg.sum(x.with_content(content)[0:1] ** 2))(x.content)
    np.testing.assert_array_equal(first[:4], [3.0, -4.0, 6.0, 0.0])


def test_traced_integers():
    x = rg.from_lists(FULL)
    assert jax.jit(lambda x, i, j: x[i, j])(x, 2, -1) == 5.0
    picked = jax.jit(lambda x, i: x[i])(x, jnp.array([2, 2, 0]))
    assert rg.to_list(picked) == [FULL[2], FULL[2], FULL[0]]
    with pytest.raises(Exception, match=r"index 7 is out of range for row 2, which has 2 items"):
        jax.jit(lambda x, i, j: x[i, j])(x, 2, 7).block_until_ready()
    with pytest.raises(Exception, match=r"index 9 is out of range for an array with 6 rows"):
        jax.jit(lambda x, i: x[i])(x, jnp.array([9])).offsets.block_until_ready()


def test_row_mask_keeps_static_shape_inside_jit():
    x = rg.from_lists(ROWS, capacity=16)

    @jax.jit
    def select(x, cut):
        kept = x[rg.sum(x, axis=1) > cut]
        return kept, rg.num(kept, axis=0)

    for cut, rows in [(2.0, [0, 2, 3, 5]), (8.0, [2, 5]), (100.0, [])]:
        kept, count = select(x, cut)
        assert rg.to_list(kept) == [ROWS[i] for i in rows]
        assert count == len(kept) == len(rows)
    assert select._cache_size() == 1


def test_mask_inside_jit_with_other_data_reuses_the_program():
    function = jax.jit(lambda x: x[x > 2])
    for values in (ROWS, DEEP[2], [[1.0]] * 3):
        x = rg.from_lists(values, capacity=16)
        assert rg.to_list(function(x)) == ak.to_list(ak.Array(values)[ak.Array(values) > 2])


def test_vmap_over_a_threshold():
    x = rg.from_lists(ROWS)
    sums = jax.vmap(lambda cut: rg.sum(x[x > cut]))(jnp.array([0.0, 4.5, 100.0]))
    np.testing.assert_array_equal(sums, [46.5, 38.0, 0.0])


def test_capacity_of_the_result():
    x = rg.from_lists(ROWS, capacity=16)
    assert jax.jit(lambda x: rg.getitem(x, x > 2, capacity=8))(x).capacity == 8
    assert rg.getitem(x, [5, 5, 5], capacity=20).capacity == 20
    with pytest.raises(rg.CapacityError, match=r"needs room for 7 items but its capacity is 5.*pass capacity=7"):
        rg.getitem(x, x > 2, capacity=5)
    with pytest.raises(Exception, match=r"needs room for 8 items but its capacity is 6"):
        jax.jit(lambda x, i: rg.getitem(x, i, capacity=6))(x, jnp.array([5, 5])).offsets.block_until_ready()
    default = jax.jit(lambda x, i: x[i])
    unbounded = dataclasses.replace(x, max_length=None)
    with pytest.raises(Exception, match=r"needs room for 20 items but its capacity is 16"):
        default(unbounded, jnp.array([5] * 5)).offsets.block_until_ready()
    # the longest row is known to have at most four items
    assert rg.to_list(default(x, jnp.array([5] * 5))) == [ROWS[5]] * 5


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        ((7,), IndexError, "index 7 is out of range for an array with 6 rows"),
        ((2, 4), IndexError, "index 4 is out of range for row 2, which has 2 items"),
        ((slice(None), 0), IndexError, "index 0 is out of range for row 1, which has 0 items"),
        (([0, 9],), IndexError, "index 9 is out of range"),
        ((np.array([True, False]),), rg.StructureError, "the mask has 2 rows, the array has 6"),
        ((0, 0, 0), IndexError, "too many indices"),
        ((0.5,), TypeError, "an index is an integer, a slice"),
        ((Ellipsis, Ellipsis), IndexError, "single ellipsis"),
        (("pt",), KeyError, "no field 'pt'"),
    ],
)
def test_errors(where, error, message):
    with pytest.raises(error, match=message):
        rg.from_lists(ROWS)[where]


def test_ragged_index_errors():
    x = rg.from_lists(ROWS)
    other = rg.from_lists([[True], [True, False], [], [], [], []])
    with pytest.raises(rg.StructureError, match="row 0 has 3 items in one and 1 in the other"):
        x[other]
    with pytest.raises(rg.StructureError, match="the index has 1 rows, the array has 6"):
        x[rg.from_lists([[True]])]
    with pytest.raises(IndexError, match="index 5 is out of range for row 3, which has 1 items"):
        x[rg.from_lists([[0], [], [], [5], [], []])]
    with pytest.raises(rg.StructureError, match="the index has 1 rows, the array has 6"):
        x[rg.from_lists([[0]])]
    with pytest.raises(TypeError, match="booleans or integers, not float32"):
        x[x]
    with pytest.raises(Exception, match="rows of other lengths"):
        jax.jit(lambda x, m: x[m])(x, other).offsets.block_until_ready()


def test_one_row_inside_jit_knows_its_length():
    for i in (2, 1, -1):
        assert jax.jit(lambda x, i=i: x[i])(rg.from_lists(ROWS)).tolist() == ROWS[i]


def test_events_with_flat_and_ragged_columns():
    events = rg.zip({"jets": rg.from_lists(ROWS), "met": rg.from_numpy(np.arange(6.0))}, depth_limit=1)
    backwards = events[np.array([False, False, True, True, False, True])][::-1]
    assert rg.to_list(backwards) == [{"jets": ROWS[i], "met": float(i)} for i in (5, 3, 2)]
    with pytest.raises(IndexError, match="index 6 is out of range for an a"):
        events[6]
    high = jax.jit(lambda events: events[events.met > 2])(events)
    assert rg.to_list(high) == [{"jets": ROWS[i], "met": float(i)} for i in (3, 4, 5)]
