"""Flat arrays: one family with ragged and record arrays, and rows of which only the data know how many there are."""

from __future__ import annotations

import operator
import pickle

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg

LISTS = [[1.0, 2.0, 3.0], [], [4.0, 5.0]]
A = ak.Array(LISTS)


@pytest.fixture(scope="module")
def x():
    return rg.from_lists(LISTS)


def filled(x):
    """The rows that hold something; inside ``jit`` only the program knows how many."""
    return x[rg.num(x) > 0]


AFTER_A_SELECTION = {
    "mean of sums": (lambda x: rg.mean(rg.sum(filled(x), axis=1)), 7.5),
    "all": (lambda x: rg.all(rg.num(filled(x)) > 0), True),
    "min": (lambda x: rg.min(rg.sum(filled(x), axis=1)), 6.0),
    "max of means": (lambda x: rg.max(rg.mean(filled(x), axis=1)), 4.5),
    "the last": (lambda x: rg.sum(filled(x), axis=1)[-1], 9.0),
    "product": (lambda x: rg.prod(rg.sum(filled(x), axis=1)), 54.0),
    "var": (lambda x: rg.var(rg.sum(filled(x), axis=1)), 2.25),
    "argmax": (lambda x: rg.argmax(-rg.sum(filled(x), axis=1)), 0),
    "along axis 0": (lambda x: rg.sum(rg.num(filled(x)), axis=0), 5),
    "method": (lambda x: rg.sum(filled(x), axis=1).mean(), 7.5),
    "NumPy": (lambda x: np.mean(np.sqrt(np.sum(filled(x), axis=1) ** 2)), 7.5),
    "sort": (lambda x: rg.sort(rg.sum(filled(x), axis=1), ascending=False), [9.0, 6.0]),
    "argsort": (lambda x: rg.argsort(rg.sum(filled(x), axis=1), ascending=False), [1, 0]),
    "cumsum": (lambda x: rg.cumsum(rg.sum(filled(x), axis=1)), [6.0, 15.0]),
    "softmax": (lambda x: rg.sum(rg.softmax(rg.sum(filled(x), axis=1))), 1.0),
    "where": (lambda x: np.where(rg.num(filled(x)) > 2, rg.sum(filled(x), axis=1), 0), [6.0, 0.0]),
    "concatenate": (lambda x: np.concatenate([rg.num(filled(x)), rg.num(x)]), [3, 2, 3, 0, 2]),
    "mask": (lambda x: rg.sum(x, axis=1)[rg.num(x) > 0], [6.0, 9.0]),
    "mask of a selection": (lambda x: rg.sum(filled(x), axis=1)[rg.num(filled(x)) < 3], [9.0]),
    "slice": (lambda x: rg.sum(filled(x), axis=1)[::-1], [9.0, 6.0]),
    "integers": (lambda x: rg.sum(filled(x), axis=1)[[1, 1, -2]], [9.0, 9.0, 6.0]),
    "order": (lambda x: rg.num(filled(x))[rg.argsort(rg.num(filled(x)))], [2, 3]),
    "flatten": (lambda x: rg.sum(rg.flatten(filled(x))[1:]), 14.0),
    "longest": (lambda x: rg.sum(filled(x), axis=0), [5.0, 7.0, 3.0]),
    "padded": (lambda x: rg.to_padded(filled(x), -1.0, 3)[1], [4.0, 5.0, -1.0]),
    "padded sum": (lambda x: rg.sum(rg.to_padded(filled(x), 0.0, 3), axis=0), [5.0, 7.0, 3.0]),
    "mean of longer rows": (lambda x: rg.mean(rg.pad(filled(x), 3, 0.0)), 2.5),
    "items of rows of one length": (lambda x: rg.count(rg.pad(filled(x), 1, 0.0, clip=True)), 2),
    "top": (lambda x: rg.top_k(filled(x), 1, fill_value=0), [[3.0], [5.0]]),
    "keepdims": (lambda x: rg.sum(filled(x), axis=1, keepdims=True), [[6.0], [9.0]]),
    "inner keepdims": (lambda x: rg.num(filled(x)[:, np.newaxis]), [1, 1]),
    "positions": (lambda x: filled(x)[:, [0, -1]], [[1.0, 3.0], [4.0, 5.0]]),
    "singletons": (lambda x: rg.singletons(rg.num(filled(x))), [[3], [2]]),
    "unflatten": (lambda x: rg.unflatten(rg.flatten(filled(x)), rg.num(filled(x))), [[1.0, 2.0, 3.0], [4.0, 5.0]]),
    "one list": (lambda x: filled(x)[np.newaxis], [[[1.0, 2.0, 3.0], [4.0, 5.0]]]),
    "pairs of rows": (lambda x: rg.sum(rg.combinations(filled(x), 2, axis=0)["0"], axis=1), [6.0]),
    "all pairs": (lambda x: rg.num(rg.cartesian([rg.num(filled(x)), rg.num(x)], axis=0)["1"], axis=0), 6),
    "a row": (lambda x: x[2], [4.0, 5.0]),
    "a selected row": (lambda x: rg.mean(filled(x)[1]), 4.5),
    "zip": (lambda x: rg.zip({"n": rg.num(filled(x)), "x": filled(x)}, depth_limit=1)[1:].n, [2]),
    "leading": (lambda x: rg.firsts(filled(x), fill_value=0), [1.0, 4.0]),
    "the largest": (lambda x: x[rg.argmax(x, axis=1, keepdims=True)], [[3.0], [], [5.0]]),
    "the largest of the selected": (
        lambda x: filled(x)[rg.argmax(filled(x), axis=1, keepdims=True)],
        [[3.0], [5.0]],
    ),
    "all of the selected": (lambda x: filled(x)[:], [[1.0, 2.0, 3.0], [4.0, 5.0]]),
    "the first of each": (lambda x: filled(x)[:, 0], [1.0, 4.0]),
    "the largest again": (lambda x: x[rg.singletons(rg.argmax(x, axis=1))], [[3.0], [], [5.0]]),
    "items and a sum": (
        lambda x: rg.concatenate([x, rg.sum(x, axis=1, keepdims=True)], axis=1)[:, -1],
        [6.0, 0.0, 9.0],
    ),
    "ravel of records": (
        lambda x: rg.ravel(rg.zip({"a": rg.num(filled(x)), "b": filled(x)})),
        [3, 3, 3, 2, 2, 1, 2, 3, 4, 5],
    ),
}


def assert_close(actual, expected):
    if isinstance(expected, list):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other)
    else:
        assert actual == pytest.approx(expected)


@pytest.fixture(scope="module")
def compiled(x):
    """All of them in one program, which takes no longer to compile than three."""
    return jax.jit(lambda x: {name: function(x) for name, (function, _) in AFTER_A_SELECTION.items()})(x)


@pytest.mark.thorough
@pytest.mark.parametrize("name", AFTER_A_SELECTION)
def test_rows_that_were_selected_inside_jit_are_all_there_is(x, compiled, name):
    function, expected = AFTER_A_SELECTION[name]
    for result in (function(x), compiled[name]):
        assert_close(rg.to_list(result), expected)


def test_a_formula_of_event_columns_needs_no_other_names_than_numpy_s(x):
    @jax.jit
    def formula(x, events):
        pt, phi = rg.max(x, axis=1, initial=0), rg.sum(x, axis=1)
        mass = np.sqrt(2 * pt * events.met * (1 - np.cos(events.phi - phi)))
        return np.where(np.abs(mass) > 1, np.maximum(mass, pt), 0.0)[events.met > 15]

    events = rg.zip({"met": rg.from_numpy([10.0, 20.0, 30.0]), "phi": rg.from_numpy([0.1, 0.2, 0.3])})
    pt, phi, met = np.array([3.0, 0.0, 5.0]), np.array([6.0, 0.0, 9.0]), np.array([10.0, 20.0, 30.0])
    mass = np.sqrt(2 * pt * met * (1 - np.cos(np.array([0.1, 0.2, 0.3]) - phi)))
    expected = np.where(np.abs(mass) > 1, np.maximum(mass, pt), 0.0)[met > 15]
    np.testing.assert_allclose(formula(x, events), expected, rtol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("symbol", ["add", "sub", "mul", "truediv", "pow", "lt", "eq", "mod", "floordiv"])
def test_operators_with_arrays_and_numbers_of_jax_on_either_side_keep_the_rows(x, symbol):
    function = getattr(operator, symbol)
    sums, number, array = rg.sum(x, axis=1) + 1, jnp.float32(3), jnp.array([2.0, 3.0, 4.0])
    for left, right in (
        (sums, number),
        (number, sums),
        (array, sums),
        (sums, np.asarray(array)),
        (np.asarray(array), sums),
    ):
        result = function(left, right)
        assert isinstance(result, rg.FlatArray)
        np.testing.assert_allclose(result, function(np.asarray(left), np.asarray(right)), rtol=2e-7)
    selected = jax.jit(lambda x, number: function(number, rg.num(filled(x))))(x, number)
    np.testing.assert_array_equal(selected, function(np.float32(3), np.array([3, 2])))


def test_known_rows_convert_by_themselves(x):
    sums = rg.sum(x, axis=1)
    assert (sums.shape, sums.dtype, sums.ndim, sums.size, len(sums)) == ((3,), np.float32, 1, 3, 3)
    assert jnp.stack([sums, sums]).shape == (2, 3)
    assert isinstance(jnp.asarray(sums), jax.Array)
    assert np.asarray(sums, np.float64).dtype == np.float64
    assert [float(value) for value in sums] == sums.tolist() == [6.0, 0.0, 9.0]
    assert np.histogram(sums, bins=2)[0].tolist() == [1, 2]
    assert sums.at[1].set(7.0).tolist() == [6.0, 7.0, 9.0]
    assert (float(sums[0]), bool(sums[:1] > 0)) == (6.0, True)
    assert jax.jit(lambda x: jnp.cumsum(rg.sum(x, axis=1)))(x).tolist() == [6.0, 6.0, 15.0]
    mask = sums > 0
    assert rg.to_list(x[mask]) == [[1.0, 2.0, 3.0], [4.0, 5.0]]
    assert pickle.loads(pickle.dumps(mask)).tolist() == [True, False, True]
    # what left jit knows its rows
    out = jax.jit(lambda x: rg.num(filled(x)))(x)
    assert (out.shape, out.tolist(), repr(out)) == ((2,), [3, 2], "Array([3, 2], dtype=int32)")
    assert jnp.asarray(out).shape == (2,)


@pytest.mark.parametrize("use", [jnp.sqrt, jnp.asarray, np.asarray, lambda y: y.shape, lambda y: y.at[0], len, list])
def test_rows_that_are_not_known_do_not_convert_and_say_what_to_use(x, use):
    with pytest.raises(TypeError, match=r"rg\.|hepgrad.ragged"):
        jax.jit(lambda x: use(rg.sum(filled(x), axis=1)) is None)(x)


IN_NEW_JAX = pytest.mark.skipif(jax.__version_info__ < (0, 10, 2), reason="JAX before 0.10.2 takes only its own arrays")


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(jax.nn.sigmoid, marks=IN_NEW_JAX),
        jax.nn.relu,
        pytest.param(jax.lax.exp, marks=IN_NEW_JAX),
        lambda y: jnp.where(y > 6, y, -1.0),
    ],
)
def test_jax_s_functions_take_known_rows_and_say_what_to_use_for_others(x, use):
    sums = rg.sum(x, axis=1)
    expected = use(jnp.array([6.0, 0.0, 9.0]))
    for run in (use, jax.jit(use)):
        np.testing.assert_allclose(run(sums), expected, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda x: use(rg.sum(x, axis=1)))(x), expected, rtol=1e-6)
    with pytest.raises((TypeError, ValueError), match=r"rg\.apply\(f, x\)"):
        jax.jit(lambda y: use(y[y > 0]))(sums)
    with pytest.raises((TypeError, ValueError), match=r"write np\.exp\(x\).*rg\.apply\((jax\.nn\.sigmoid|f), x\)"):
        use(x)


@pytest.mark.parametrize("use", [jnp.exp, jnp.sum, jnp.shape, jnp.asarray, lambda y: jnp.stack([y, y]), jnp.ones_like])
def test_jax_numpy_says_what_to_use_for_arrays_that_are_not_flat(x, use):
    for array in (x, rg.zip({"pt": x}), rg.zip({"pt": rg.sum(x, axis=1)})):
        for run in (use, jax.jit(use)):
            with pytest.raises(TypeError, match=r"write np\.exp\(x\) for jnp\.exp\(x\)"):
                run(array)
    # arithmetic is ours, whichever side the plain array is on
    expected = [[2.0, 4.0, 6.0], [], [12.0, 15.0]]
    assert rg.to_list(jnp.array([2.0, 0.0, 3.0]) * x) == expected == rg.to_list(x * jnp.array([2.0, 0.0, 3.0]))
    assert rg.to_list(jnp.ones(3) == x) == rg.to_list(x == 1.0)


def test_functions_of_single_items_and_derivatives_of_arrays(x):
    activated = jax.jit(lambda x: rg.apply(jax.nn.sigmoid, rg.num(filled(x)) * 1.0))(x)
    np.testing.assert_allclose(activated, 1 / (1 + np.exp([-3.0, -2.0])), rtol=1e-6)
    with pytest.raises(ValueError, match=r"jax\.grad needs a function that returns a number"):
        jax.grad(lambda h: rg.sum(x * h, axis=1))(1.0)


def test_numbers_are_what_jax_s_transformations_and_control_flow_take(x):
    @jax.jit
    def differentiated(h):
        def total(h):
            return rg.sum(x * h)

        return jax.value_and_grad(total)(h), jax.lax.cond(rg.any(x > 4), lambda: total(h), lambda: 0.0)

    (value, slope), read_later = differentiated(2.0)
    assert (float(value), float(slope), float(read_later)) == (30.0, 15.0, 30.0)
    # so that inside jit NumPy's own functions cannot have them, and ours can
    roots = jax.jit(lambda x: (rg.sqrt(rg.sum(x)), jnp.sqrt(rg.sum(x)), rg.sum(x) ** 0.5))(x)
    np.testing.assert_allclose(roots, [np.sqrt(rg.sum(x))] * 3, rtol=1e-6)
    with pytest.raises(jax.errors.TracerArrayConversionError):
        jax.jit(lambda x: np.sqrt(rg.sum(x)))(x)


def test_ambiguous_truth_and_matrix_products_are_refused(x):
    with pytest.raises(ValueError, match="ambiguous"):
        bool(rg.sum(x, axis=1) > 0)
    with pytest.raises(TypeError, match=r"rg.sum\(a \* b"):
        jax.jit(lambda x: rg.num(filled(x)) @ rg.num(filled(x)))(x)
    with pytest.raises(TypeError, match=r"np\.newaxis"):
        jax.jit(lambda x: rg.sum(filled(x), axis=1, keepdims=True) * rg.num(filled(x)))(x)


def test_records_that_were_selected_carry_one_number_of_rows(x):
    events = rg.zip({"a": x, "b": 2 * x, "met": rg.from_numpy([10.0, 20.0, 30.0])}, depth_limit=1)
    out = jax.jit(lambda events: events[rg.num(events.a) > 0])(events)
    expected = [
        {"a": [1.0, 2.0, 3.0], "b": [2.0, 4.0, 6.0], "met": 10.0},
        {"a": [4.0, 5.0], "b": [8.0, 10.0], "met": 30.0},
    ]
    assert rg.to_list(out) == expected
    assert (len(out), int(rg.num(out, axis=0)), out.met.tolist(), rg.type_of(out)[:3]) == (2, 2, [10.0, 30.0], "2 *")
    assert rg.to_list(rg.concatenate([out, events])) == expected + rg.to_list(events)
    assert out.a.counts.tolist() == rg.to_list(rg.num(out.a)) == [3, 2]
    # selected rows of one record are known to belong together: nothing is checked
    program = jax.make_jaxpr(
        lambda e: (lambda s: (s.a * s.met, rg.with_field(s, s.met * rg.num(s.a), "c")))(e[e.met > 15])
    )
    assert "hepgrad_check" not in str(program(events))


def test_one_mask_selects_the_same_rows_each_time(x):
    h = rg.from_numpy([10.0, 20.0, 30.0])

    def both(x, h):
        mask = rg.num(x) > 0
        return x[mask] * h[mask]

    assert "hepgrad_check" not in str(jax.make_jaxpr(both)(x, h))
    assert rg.to_list(jax.jit(both)(x, h)) == rg.to_list(both(x, h)) == [[10.0, 20.0, 30.0], [120.0, 150.0]]
    # the selection that an inner trace has made does not leave it

    def inside(x, h):
        mask = rg.num(x) > 0
        inner = jax.lax.cond(h[0] > 0, lambda: rg.sum(x[mask]), lambda: 0.0)
        return inner + rg.sum(x[mask] * h[mask])

    assert float(jax.jit(inside)(x, h)) == 15.0 + 330.0


REFUSED = {
    "an array of all rows": lambda x, h: filled(x) * h,
    "another selection": lambda x, h: x[rg.num(x) != 2] + x[rg.num(x) == 3],
    "a flat one": lambda x, h: rg.num(filled(x)) * h,
    "a mask": lambda x, h: filled(x)[h > 0],
    "a field": lambda x, h: rg.zip({"x": filled(x), "h": h}),
    "concatenate": lambda x, h: rg.concatenate([filled(x), rg.from_lists([[1.0], [2.0], [3.0]])], axis=1),
    "pairs": lambda x, h: rg.cartesian([filled(x), x]),
    "a row that is not there": lambda x, h: rg.sum(filled(x), axis=1)[2],
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", REFUSED)
def test_rows_that_do_not_belong_together_are_refused_inside_jit_as_outside(x, name):
    h = rg.from_numpy([10.0, 20.0, 30.0])
    with pytest.raises((rg.StructureError, IndexError)):
        REFUSED[name](x, h)
    with pytest.raises((rg.StructureError, IndexError)):
        rg.checked(REFUSED[name])(x, h)
    with pytest.raises(Exception, match=r"StructureError|IndexError|cannot broadcast|the mask has"):
        jax.block_until_ready(jax.tree.leaves(jax.jit(REFUSED[name])(x, h)))


def test_selections_of_equal_length_combine_as_outside(x):
    def f(x):
        return x[rg.num(x) != 2][:1] + (x + 1)[rg.num(x) == 3]

    assert rg.to_list(rg.checked(f)(x)) == rg.to_list(f(x)) == [[3.0, 5.0, 7.0]]


def test_unreal_rows_get_no_gradient_and_hurt_nobody(x):
    def singular(x, w):
        means = rg.mean(filled(x), axis=1)  # nan behind the two rows
        return rg.sum(np.sqrt(means - 1.5) * w)

    value, (dx, dw) = jax.jit(rg.value_and_grad(singular, argnums=(0, 1)))(x, 2.0)
    assert np.isfinite(value)
    assert np.isfinite(dw)
    np.testing.assert_allclose(dw, np.sqrt(0.5) + np.sqrt(3.0), rtol=1e-6)
    np.testing.assert_allclose(rg.flatten(dx), [1 / np.sqrt(0.5) / 3] * 3 + [0.5 / np.sqrt(3.0)] * 2, rtol=1e-5)


def test_one_record_converts_prints_and_passes_through_jit():
    jets = rg.from_lists([[{"pt": 1.0, "q": 1}], []])
    for run in (lambda f: f, jax.jit):
        one = run(lambda jets: jets[0, 0])(jets)
        assert rg.to_list(one) == one.to_list() == {"pt": 1.0, "q": 1}
        assert repr(one) == "<Record {pt: 1.0, q: 1} type='{pt: float32, q: int32}'>"
        assert float(one["pt"]) == 1.0
    events = rg.zip({"x": rg.from_lists(LISTS), "n": rg.from_numpy([7, 8, 9])}, depth_limit=1)
    first = jax.jit(lambda events: events[2])(events)
    assert rg.to_list(first) == {"x": [4.0, 5.0], "n": 9}
    with pytest.raises(AttributeError, match=r"no field 'eta'; the fields are \['pt', 'q'\]"):
        _ = one.eta


@pytest.mark.thorough
def test_a_row_number_that_is_traced(x):
    assert float(jax.jit(lambda i: x[i, 0])(2)) == 4.0
    assert jax.vmap(lambda i: x[i, 0])(jnp.array([0, 2])).tolist() == [1.0, 4.0]
    assert [float(jax.jit(lambda i, j: x[i, j])(2, j)) for j in (0, 1, -1)] == [4.0, 5.0, 5.0]
    assert jax.jit(lambda i: rg.sum(x[i]))(0) == 6.0
    assert jax.jit(lambda x: [rg.sum(row) for row in x])(x) == [6.0, 0.0, 9.0]
    with pytest.raises(IndexError, match="index 3 is out of range for an array with 3 rows"):
        rg.checked(lambda x, i: rg.num(x)[i])(x, 3)


def test_capacity_tells_how_long_rows_may_be():
    a, b = (
        rg.from_awkward(ak.Array(rows), capacity=16) for rows in ([[1.0, 2.0, 3.0], [4.0, 5.0]], [[1.0] * 4, [2.0]])
    )
    pairs = jax.jit(lambda x: rg.sum(rg.combinations(x, 2)["0"], axis=1))
    assert pairs(a).tolist() == [4.0, 4.0]
    assert pairs(b).tolist() == [6.0, 0.0]
    assert pairs._cache_size() == 1
    assert jax.jit(lambda x, y: rg.num(rg.cartesian([x, y])))(a, b).tolist() == [12, 2]
    assert rg.to_list(jax.jit(lambda x: rg.num(rg.argcombinations(x, 3)))(b)) == [4, 0]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "formula",
    [
        lambda f: f[f > 0] / rg.sum(f, axis=0, keepdims=True),
        lambda f: f[f > 0] - f[:1],
        lambda f: f[f > 0] - f[f > 0][np.array([0])],
        lambda f: rg.where(f[f > 0] > 2, f[:1], 0.0),
        lambda f: rg.maximum(rg.mean(f[f > 0], axis=0, keepdims=True), f[f > 0]),
    ],
)
def test_one_row_goes_with_all_that_are_selected(formula):
    f = rg.from_lists([1.0, -2.0, 3.0, 4.0])
    expected = rg.to_list(formula(f))
    assert len(expected) == 3
    assert rg.to_list(jax.jit(formula)(f)) == pytest.approx(expected)
    eager, jitted = (rg.grad(each)(f) for each in (lambda f: rg.sum(formula(f)), jax.jit(lambda f: rg.sum(formula(f)))))
    np.testing.assert_allclose(rg.to_list(jitted), rg.to_list(eager), rtol=1e-6)
