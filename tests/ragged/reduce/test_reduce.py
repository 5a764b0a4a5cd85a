"""Reducers against Awkward's CPU backend: values and structure, eager and jitted, exact buffers and such with slack."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg

pytestmark = pytest.mark.usefixtures("quick_compilation")

NAN = np.nan
FLAT = [[1.5, -2.0, 0.0, 3.0], [], [0.0], [2.0, 2.0], [-1.0, 4.0, 4.0]]
NESTED = [[[1.5, -2.0], [], [0.0, 3.0, 1.0]], [], [[2.0], [2.0, -1.0]], [[]], [[4.0, 4.0, 1.0, 0.5]]]
DEEP = [[[[1.0], [2.0, 3.0]], [[4.0]]], [[], [[5.0, 6.0], [], [7.0]]], []]
MASKED = {"mask_identity": False}
REDUCERS = {
    "sum": {},
    "prod": {},
    "max": MASKED,
    "min": MASKED,
    "any": {},
    "all": {},
    "count": {},
    "count_nonzero": {},
    "argmax": MASKED,
    "argmin": MASKED,
    "ptp": MASKED,
    "mean": {},
    "var": {},
    "std": {},
}


def with_slack(lists):
    """Return buffers longer than the data, with values at the end that must not matter."""
    sizes = [ak.num(ak.flatten(ak.Array(lists), axis=None), axis=0) + 7] * 4
    x = rg.from_lists(lists, capacity=sizes, max_length=6)
    levels = []
    while isinstance(x, rg.RaggedArray):
        levels.append(x)
        x = x.content
    x = jnp.where(jnp.arange(x.shape[0]) < levels[-1].size, x, jnp.nan) if x.dtype == jnp.float32 else x
    for level in reversed(levels):
        x = level.with_content(x)
    return x


def as_list(result):
    return ak.to_list(ak.Array(np.asarray(result))) if not isinstance(result, rg.RaggedArray) else rg.to_list(result)


def assert_same(result, expected):
    """Compare nested lists; a result that is longer than expected (a static bound) must end in padding."""
    result, expected = ak.Array(as_list(result)), ak.Array(ak.to_list(expected))
    result = result[: len(expected)]
    assert ak.to_list(ak.num(result, axis=-1)) == ak.to_list(ak.num(expected, axis=-1))
    np.testing.assert_allclose(
        ak.to_numpy(ak.flatten(result, axis=None)), ak.to_numpy(ak.flatten(expected, axis=None)), rtol=1e-5, atol=1e-6
    )


CASES = [
    *[(FLAT, axis) for axis in (0, -1, None)],
    *[(NESTED, axis) for axis in (0, -2, 2, None)],
]


@pytest.mark.thorough
@pytest.mark.parametrize(("lists", "axis"), CASES)
def test_against_awkward(lists, axis):
    def everything(x):
        return {name: getattr(rg, name)(x, axis=axis) for name in REDUCERS}

    exact, slack = everything(rg.from_lists(lists)), jax.jit(everything)(with_slack(lists))
    for name, options in REDUCERS.items():
        if name.startswith("arg") and lists is NESTED and axis == 0:
            continue  # Awkward 2.14 does not count empty rows here; see test_positions_count_empty_rows
        expected = getattr(ak, name)(ak.Array(lists), axis=axis, **options)
        for result in (exact[name], slack[name]):
            if axis is None:
                np.testing.assert_allclose(result, expected, rtol=1e-6)
            else:
                assert_same(result, expected)


@pytest.mark.parametrize("axis", [0, 2])
def test_four_levels(axis):
    assert_same(rg.sum(rg.from_lists(DEEP), axis=axis), ak.sum(ak.Array(DEEP), axis=axis))
    assert_same(jax.jit(lambda x: rg.sum(x, axis=axis))(with_slack(DEEP)), ak.sum(ak.Array(DEEP), axis=axis))


def test_exact_size_outside_jit():
    assert rg.sum(rg.from_lists(FLAT), axis=0).shape == (4,)
    result = rg.sum(rg.from_lists(NESTED), axis=0)
    assert result.exact and len(result) == 3
    kept = jax.jit(lambda x: rg.sum(x, axis=0, keepdims=True))(with_slack(FLAT))
    assert rg.to_list(kept) == ak.to_list(ak.sum(ak.Array(FLAT), axis=0, keepdims=True))


@pytest.mark.parametrize(("lists", "axis"), CASES)
def test_keepdims(lists, axis):
    expected = ak.sum(ak.Array(lists), axis=axis, keepdims=True)
    assert as_list(rg.sum(rg.from_lists(lists), axis=axis, keepdims=True)) == ak.to_list(expected)


def test_keepdims_broadcasts_back():
    x = rg.from_lists(FLAT)
    centred = x - rg.mean(x, axis=1, keepdims=True)
    np.testing.assert_allclose(rg.sum(centred, axis=1), np.zeros(5), atol=1e-6)


def test_positions_count_empty_rows():
    x = rg.from_lists([[[1.0, 2.0], [], [3.0]], [], [[4.0, 5.0, 6.0]]])
    assert rg.to_list(rg.argmax(x, axis=0)) == [[2, 2, 2], [], [0]]
    assert rg.to_list(jax.jit(lambda x: rg.argmin(x, axis=0, keepdims=True))(x)) == [[[0, 0, 2], [], [0]]]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "ptp"])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_nan_as_awkward(name, axis):
    lists = [[1.0, NAN, 3.0], [NAN, 2.0, 3.0], [3.0, 2.0, NAN], [NAN, NAN], [], [-np.inf, NAN], [NAN, -np.inf]]
    expected = getattr(ak, name)(ak.Array(lists), axis=axis, mask_identity=False)
    np.testing.assert_array_equal(getattr(rg, name)(rg.from_lists(lists), axis=axis), expected)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.float32])
@pytest.mark.parametrize("name", ["sum", "max", "argmin", "mean", "ptp"])
def test_types_as_awkward(name, dtype, x64):
    lists = ak.unflatten(np.array([0, 1, 1, 3, 0]).astype(dtype), [3, 0, 2])
    x = rg.from_awkward(lists)
    if name == "ptp":
        if dtype is bool:
            with pytest.raises(TypeError, match="no difference"):
                rg.ptp(x, axis=1)
            return
        expected = ak.ptp(ak.values_astype(lists, np.int64), axis=1, mask_identity=False)
    else:
        expected = getattr(ak, name)(lists, axis=1, **REDUCERS[name])
    result = getattr(rg, name)(x, axis=1)
    np.testing.assert_allclose(result, ak.to_numpy(expected))
    # Awkward averages float32 in float64
    if not (dtype is np.float32 and name in ("mean", "var", "std")) and name != "ptp":
        assert result.dtype == ak.to_numpy(expected).dtype


@pytest.mark.thorough
def test_weights_as_awkward():
    lists, weights = [[1.0, 2.0, 4.0], [], [5.0], [3.0]], [[1.0, 2.0, 4.0], [], [0.0], [2.0]]
    x, w = rg.from_lists(lists), rg.from_lists(weights)
    a, b = ak.Array(lists), ak.Array(weights)
    with np.errstate(all="ignore"):
        for axis in (0, 1, None):
            np.testing.assert_allclose(rg.mean(x, w, axis=axis), ak.mean(a, b, axis=axis), rtol=1e-6)
            np.testing.assert_allclose(rg.var(x, w, axis=axis), ak.var(a, b, axis=axis), rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(rg.std(x, w, 1, axis=axis), ak.std(a, b, 1, axis=axis), rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(rg.moment(x, 3, w, axis=axis), ak.moment(a, 3, b, axis=axis), rtol=1e-6)
    per_row = rg.from_numpy([1.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(rg.mean(x, per_row, axis=1), rg.mean(x, axis=1))


def test_initial():
    x = rg.from_lists([[1.0, 4.0], [], [2.0]])
    np.testing.assert_array_equal(rg.max(x, axis=1, initial=3), [4, 3, 3])
    np.testing.assert_array_equal(rg.min(x, axis=1, initial=3), [1, 3, 2])
    assert rg.max(x, initial=10) == 10
    np.testing.assert_array_equal(rg.max(rg.from_lists([[1], []])[:, :0], axis=1), [np.iinfo(np.int32).min] * 2)


def test_flat_arrays():
    x = jnp.array([3.0, 1.0, 2.0])
    assert rg.sum(x) == 6 and rg.sum(x, axis=0) == 6 and rg.argmin(x) == 1 and rg.std(x, axis=-1).shape == ()
    table = jnp.arange(6.0).reshape(2, 3)
    for axis in (0, 1):
        np.testing.assert_allclose(rg.var(table, axis=axis), np.var(table, axis=axis), rtol=1e-6)


def test_no_rows_and_no_items():
    for lists, rows in ((ak.Array([[1.0]])[:0], 0), (ak.Array([[1.0], [2.0]])[:, :0], 2)):
        x = rg.from_awkward(lists)
        assert rg.sum(x, axis=1).shape == rg.argmax(x, axis=1).shape == rg.std(x, axis=1).shape == (rows,)
        assert rg.sum(x) == 0 and rg.prod(x) == 1 and rg.max(x) == -np.inf and rg.argmax(x) == -1
        assert rg.sum(x, axis=0).shape == (0,)


SMOOTH = {
    "prod": rg.prod,
    "max": rg.max,
    "min": rg.min,
    "ptp": rg.ptp,
    "mean": rg.mean,
    "std": rg.std,
    "moment": lambda x, axis: rg.moment(x, 3, axis=axis),
    "weighted": lambda x, axis: rg.std(x, x**2 + 1, axis=axis),
}


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "axis"), [*((name, 1) for name in SMOOTH), ("prod", 0), ("max", 0), ("weighted", 0)])
def test_derivatives_ignore_slack_and_match_differences(name, axis, x64):
    lists = [[1.5, -2.0, 0.25, 3.0], [], [0.5, 1.0], [2.0, 7.0], [-1.0, 5.0, 4.0]]
    x = rg.from_lists(lists, capacity=14, max_length=4)
    content = x.content.at[x.size :].set(NAN)
    size = int(x.size)

    @jax.jit
    def loss(content):
        result = SMOOTH[name](x.with_content(content), axis=axis)
        # rows without items are NaN or infinite by definition
        usable = rg.where(np.isfinite(result), result, 0)
        return rg.sum(usable * (1 + rg.local_index(usable, axis=0)))

    reverse, forward = jax.jit(lambda c: (jax.grad(loss)(c), jax.jacfwd(loss)(c)))(content)
    np.testing.assert_allclose(reverse, forward, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(reverse[size:], 0)
    step = 1e-6
    nudges = step * jnp.eye(len(content))[:size]
    differences = jax.jit(jax.vmap(lambda nudge: (loss(content + nudge) - loss(content - nudge)) / (2 * step)))(nudges)
    np.testing.assert_allclose(reverse[:size], differences, rtol=1e-6, atol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("name", SMOOTH)
def test_empty_and_single_rows_have_finite_derivatives(name):
    x = rg.from_lists([[], [2.0], [3.0, 3.0], [0.0, 0.0, 5.0]])
    gradient = jax.grad(lambda c: jnp.sum(SMOOTH[name](x.with_content(c), axis=1)[1:]))(x.content)
    all_rows = jax.grad(lambda c: jnp.sum(jnp.nan_to_num(SMOOTH[name](x.with_content(c), axis=1))))(x.content)
    assert np.isfinite(gradient).all() and np.isfinite(all_rows).all()
    if name == "std":
        assert gradient[0] == 0


def test_ties_share_the_derivative():
    x = rg.from_lists([[2.0, 2.0, 1.0], [3.0]])
    for axis, expected in ((1, [0.5, 0.5, 0, 1]), (0, [0, 1, 1, 1])):
        gradient = jax.grad(lambda c, axis=axis: rg.max(x.with_content(c), axis=axis).sum())(x.content)
        np.testing.assert_allclose(gradient, expected)


def test_product_with_zeros_along_other_axes(x64):
    x = rg.from_lists([[0.0, 2.0], [3.0, 0.0, 5.0], [0.0]])

    def loss(c):
        products = rg.prod(x.with_content(c), axis=0)
        return rg.sum(products * (1.0 + rg.local_index(products, axis=0)))

    gradient = jax.grad(loss)(x.content)
    np.testing.assert_allclose(gradient, [0, 0, 0, 4, 3, 0])
    hessian = np.zeros((6, 6))
    hessian[0, 5] = hessian[5, 0] = 3
    hessian[1, 3] = hessian[3, 1] = 2
    np.testing.assert_allclose(jax.jit(jax.hessian(loss))(x.content), hessian)


def test_vmap_over_parameters():
    x = rg.from_lists(FLAT)
    scales = jnp.array([1.0, 2.0, -1.0])
    result = jax.vmap(lambda s: rg.max(s * x, axis=1, initial=0))(scales)
    np.testing.assert_allclose(result, [np.asarray(rg.max(s * x, axis=1, initial=0)) for s in scales])


def test_errors_say_what_is_wrong():
    x = rg.from_lists(FLAT)
    with pytest.raises(ValueError, match=r"sum: axis=3 exceeds the depth of this array \(2\)"):
        rg.sum(x, axis=3)
    with pytest.raises(ValueError, match="axis=-3 exceeds"):
        rg.max(x, axis=-3)
    with pytest.raises(TypeError, match=r"mean: works on numbers, not on records; pick one of the fields \['a', 'b'\]"):
        rg.mean(rg.from_lists([[{"a": 1, "b": 2.0}]]), axis=1)
    with pytest.raises(TypeError, match=r"use initial="):
        rg.max(x, axis=1, mask_identity=True)
    with pytest.raises(TypeError, match="axis must be an integer"):
        rg.sum(x, axis=1.5)


@pytest.mark.thorough
def test_no_rows_in_a_buffer_that_has_room():
    """Nothing of everything, where the length of the buffers says that there could be something."""

    @jax.jit
    def of_nothing(x):
        none = x[:0]
        each = [
            none,
            rg.sort(none),
            rg.argsort(none),
            rg.softmax(none, axis=1),
            none - rg.max(none, axis=1, keepdims=True),
        ]
        rows = [rg.argmax(none, axis=1), rg.argmin(none, axis=-1), rg.sum(none, axis=1), rg.mean(none, axis=1)]
        return each, rows, rg.sum(none), rg.argmax(none, axis=1, keepdims=True)

    each, rows, total, first = of_nothing(rg.with_capacity(rg.from_lists([[1.0, 2.0], [], [3.0]]), 7))
    assert [rg.to_list(x) for x in each] == [[]] * 5
    assert [x.tolist() for x in rows] == [[]] * 4
    assert (float(total), len(first)) == (0.0, 0)
