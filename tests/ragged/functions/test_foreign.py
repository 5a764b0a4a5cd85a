"""Python, NumPy and JAX ask inside ``jit`` for numbers that are not known: the errors are ours, and name a way out."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hepgrad.ragged as rg

LISTS = [[1.0, 2.0, 3.0], [], [4.0, 5.0]]
MET = np.array([10.0, 20.0, 30.0], np.float32)

REFUSED = {
    "numpy[mask]": (lambda x, f, n: MET[f > 1], r"rg\.from_numpy\(a\)\[mask\]"),
    "np.vectorize": (lambda x, f, n: np.vectorize(abs)(f), r"rg\.apply\(f, x\)"),
    "tolist": (lambda x, f, n: f.tolist(), "not known inside jit"),
    "np.unique": (lambda x, f, n: np.unique(f), r"np\.unique: a number that shapes the result"),
    "np.repeat": (lambda x, f, n: np.repeat(f, n), r"np\.repeat: .* masks and fill values in place of sizes"),
    "from_lists": (lambda x, f, n: rg.from_lists([[f[0]], [f[1]]]), r"rg\.from_lists: .*the items of a list"),
    "from_awkward": (lambda x, f, n: rg.from_awkward(f), r"rg\.from_awkward: "),
    "unflatten": (lambda x, f, n: rg.unflatten(f, n[0]), r"rg\.unflatten: "),
    "combinations": (lambda x, f, n: rg.combinations(x, n[0]), r"rg\.combinations: "),
    "axis": (lambda x, f, n: rg.sort(x, axis=n[0]), r"rg\.sort: .*\(an axis, a size"),
}


@pytest.fixture
def arrays():
    return rg.from_lists(LISTS), rg.from_numpy(MET), rg.from_numpy(np.array([1, 2, 0]))


@pytest.mark.parametrize("name", REFUSED)
def test_what_only_the_running_program_knows_is_refused_in_our_words(name, arrays):
    asks, words = REFUSED[name]
    with pytest.raises(TypeError, match=words) as refused:
        jax.jit(asks)(*arrays)
    assert refused.traceback[-1].path.parts[-2] != "jax"
    assert not isinstance(refused.value, jax.errors.JAXTypeError)


def test_what_a_function_of_the_user_s_asks_for_stays_jax_s_answer(arrays):
    with pytest.raises(jax.errors.TracerBoolConversionError):
        jax.jit(lambda f: rg.apply(lambda item: item if item[0] > 1 else -item, f))(arrays[1])


def test_jax_s_arrays_are_taken_inside_jit(arrays):
    x, f, _ = arrays
    flat, lists, selected = jax.jit(
        lambda f: (rg.from_numpy(jnp.sqrt(f)), rg.from_numpy(jnp.outer(f.content, f.content)), rg.from_numpy(f[f > 10]))
    )(f)
    np.testing.assert_allclose(flat, np.sqrt(MET))
    assert rg.to_list(lists) == np.outer(MET, MET).tolist()
    assert rg.to_list(selected) == [20.0, 30.0]
    assert rg.to_list(rg.from_lists([f.content, f])) == [MET.tolist()] * 2
    picked = jax.jit(lambda x, f, i: (x[[i[1], i[0]]], f[[i[0], i[1]]]))(x, f, rg.from_numpy(np.array([0, 2])))
    assert [rg.to_list(part) for part in picked] == [[LISTS[2], LISTS[0]], [10.0, 30.0]]


def test_selected_rows_are_compared_without_the_rest_of_the_buffer(arrays):
    x, f, _ = arrays

    @jax.jit
    def compared(x, f):
        kept, other = f[f > 10], f[rg.num(x) != 3]
        return (
            rg.array_equal(kept, other),
            rg.array_equal(kept, f),
            rg.almost_equal(kept, 1.000001 * other),
            np.array_equal(kept, 2 * other),
            rg.array_equal(x[f > 10], x[rg.num(x) != 3]),
        )

    assert [bool(same) for same in compared(x, f)] == [True, False, True, False, True]


def test_arrays_never_change(arrays):
    for array in arrays:
        with pytest.raises(TypeError, match=r"arrays never change: rg\.with_field"):
            array[0] = 1
