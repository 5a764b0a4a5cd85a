"""Slices whose bounds only the running program knows: the same results as with Python's integers."""

from __future__ import annotations

import itertools

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hepgrad.ragged as rg

pytestmark = pytest.mark.usefixtures("quick_compilation")

ROWS = [[1.5, -2.0, 3.0], [], [4.0, 5.0], [6.0], [], [-7.0, 8.0, 9.0, 10.0]]
DEEP = [[[1.0, 2.0], []], [], [[3.0], [4.0, 5.0, 6.0], [7.0, 8.0]], [[9.0, 10.0]]]
MET = np.arange(6.0, dtype=np.float32)
BOUNDS = list(itertools.product((-9, -2, 0, 1, 3, 6, 9), repeat=2))

# a and b are the bounds; with known ones test_slicing.py compares with Awkward
CASES = {
    "rows": (ROWS, lambda x, a, b: x[a:b]),
    "from a row on": (ROWS, lambda x, a, b: x[a:]),
    "up to a row": (ROWS, lambda x, a, b: x[:b:2]),
    "rows backwards": (ROWS, lambda x, a, b: x[a:b:-2]),
    "items": (ROWS, lambda x, a, b: x[:, a:b]),
    "items backwards": (ROWS, lambda x, a, b: x[:, a:b:-1]),
    "both": (ROWS, lambda x, a, b: x[a:, :b]),
    "selected": (ROWS, lambda x, a, b: x[rg.num(x) > 0][a:b][::-1]),
    "of one row": (ROWS, lambda x, a, b: x[-1, a:b]),
    "deep rows": (DEEP, lambda x, a, b: x[a:b]),
    "deep items": (DEEP, lambda x, a, b: x[:, a:b]),
    "deep deep": (DEEP, lambda x, a, b: x[:, :, a:b]),
    "flat": (MET, lambda x, a, b: x[a:b]),
    "flat backwards": (MET, lambda x, a, b: x[a:b:-1]),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", CASES)
def test_traced_bounds_take_what_known_ones_do(name):
    given, take = CASES[name]
    compiled = jax.jit(take)
    x = rg.from_awkward(ak.Array(given))
    for a, b in BOUNDS:
        expected = rg.to_list(take(x, a, b))
        assert rg.to_list(compiled(x, a, b)) == expected, (a, b)
        assert rg.to_list(take(x, jnp.asarray(a), np.int64(b))) == expected, (a, b)


def test_what_follows_knows_the_rows_and_the_derivative():
    x, met = rg.from_lists(ROWS), rg.from_numpy(MET)
    events = rg.zip({"jets": x, "met": met}, depth_limit=1)

    @jax.jit
    def followed(events, n):
        start = rg.argmin(n)
        some = events[start:]
        return rg.mean(rg.sum(some.jets, axis=1)), rg.num(some, axis=0), events.jets[start:] * some.met

    mean, rows, product = followed(events, rg.from_numpy(np.array([2, 5, 1])))
    assert (float(mean), int(rows)) == (np.mean([sum(row) for row in ROWS[2:]]), 4)
    assert rg.to_list(product) == [[v * m for v in row] for row, m in zip(ROWS[2:], MET[2:], strict=True)]
    slope = jax.jit(rg.grad(lambda x, n: rg.sum(x[n:, -2:] ** 2)))(x, 3)
    assert rg.to_list(slope) == [[0.0, 0.0, 0.0], [], [0.0, 0.0], [12.0], [], [0.0, 0.0, 18.0, 20.0]]


def test_other_bounds_are_refused():
    x = rg.from_lists(ROWS)
    for where in (np.s_[1.0:], np.s_[:, 1.5:]):
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            x[where]
    with pytest.raises(TypeError, match="a bound is one integer; got float32"):
        jax.jit(lambda x, a: x[a:])(x, 1.0)
    with pytest.raises(TypeError, match="the step has to be a Python integer"):
        jax.jit(lambda x, a: x[::a])(x, 2)
    with pytest.raises(TypeError, match="not a part of a regular dimension"):
        jax.jit(lambda x, a: rg.sum(x, axis=1, keepdims=True)[:, a:])(x, 1)
