"""A ragged array shows its type and its first and last rows, and printing never fails."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hepgrad.ragged as rg

pytestmark = pytest.mark.usefixtures("quick_compilation")

ROWS = [[1.0, 2.0], [], [3.0]]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (ROWS, "<RaggedArray [[1.0, 2.0], [], [3.0]] type='3 * var * float32'>"),
        ([[1, 2], []], "<RaggedArray [[1, 2], []] type='2 * var * int32'>"),
        ([[True], [False]], "<RaggedArray [[True], [False]] type='2 * var * bool'>"),
        ([[[1.5]], []], "<RaggedArray [[[1.5]], []] type='2 * var * var * float32'>"),
        ([[1 / 3, 1e10, np.nan, np.inf]], "<RaggedArray [[0.333, 1e+10, nan, inf]] type='1 * var * float32'>"),
        ([[{"pt": 2.0, "q": 1}]], "<RaggedArray [[{pt: 2.0, q: 1}]] type='1 * var * {pt: float32, q: int32}'>"),
    ],
)
def test_one_line(values, text):
    assert repr(rg.from_lists(values)) == str(rg.from_lists(values)) == text
    assert repr(rg.from_lists(values, capacity=20)) == text


def test_first_and_last_rows_of_long_arrays():
    x = rg.from_numpy(np.arange(3000.0).reshape(1000, 3))
    text = repr(x)
    assert text.startswith("<RaggedArray [[0.0, 1.0, 2.0], ")
    assert "..." in text
    assert text.endswith("[3e+03, 3e+03, 3e+03]] type='1000 * var * float32'>")
    assert len(text) < 120
    assert len(repr(rg.from_numpy(np.ones((1, 10_000), np.float32)))) < 120


def test_records():
    events = rg.zip({"j": rg.from_lists(ROWS), "m": jnp.array([1.0, 2.0, 3.0])}, depth_limit=1)
    assert repr(events) == ("<RecordArray [{j: [1.0, 2.0], m: 1.0}, ...] type='3 * {j: var * float32, m: float32}'>")
    assert repr(events[1:]) == (
        "<RecordArray [{j: [], m: 2.0}, {j: [3.0], m: 3.0}] type='2 * {j: var * float32, m: float32}'>"
    )


def test_notebooks():
    html = rg.from_lists([[1.0]] * 30)._repr_html_()
    assert html.startswith("<pre>[1.0]\n")
    assert html.count("[1.0]") == 10
    assert "type: 30 * var * float32" in html
    assert "&lt;" not in html
    assert "{a&lt;b: float32}" in rg.zip({"a<b": rg.from_lists(ROWS)})._repr_html_()


def test_inside_transformations():
    seen = []

    def look(x):
        seen.append(repr(x))
        return x

    x = rg.from_lists(ROWS, capacity=8)
    jax.jit(look)(x)
    assert seen == ["<RaggedArray traced type='3 * var[capacity 8] * float32'>"]
    jax.jit(lambda x: look(x[rg.num(x) > 0]))(x)
    assert seen[-1] == "<RaggedArray traced type='up to 3 * var[capacity 8] * float32'>"
    jax.grad(lambda content: look(x.with_content(content)).content.sum())(x.content)
    assert seen[-1] == repr(x)
    stacked = jax.vmap(lambda s: look(x * s))(jnp.arange(2.0))
    assert "traced" in seen[-1]
    assert repr(stacked).startswith("<RaggedArray traced type='")
    jax.eval_shape(lambda x: look(x * 2.0), x)
    assert "capacity 8" in seen[-1]


@pytest.mark.parametrize("leaf", [None, object(), 1.0, "text", np.zeros(3, jax.dtypes.float0), jnp.zeros(()), {}])
@pytest.mark.parametrize("values", [ROWS, [ROWS], [[{"a": 1.0, "b": [2.0]}]]])
def test_strange_leaves(leaf, values):
    """JAX puts all sorts of placeholders into pytrees; printing them must not raise."""
    x = rg.from_lists(values)
    assert repr(jax.tree.map(lambda _: leaf, x)).startswith("<RaggedArray")
    assert jax.tree.map(lambda _: leaf, x)._repr_html_()
    leaves, tree = jax.tree.flatten(x)
    for place in range(len(leaves)):
        strange = jax.tree.unflatten(tree, [*leaves[:place], leaf, *leaves[place + 1 :]])
        assert repr(strange).startswith("<RaggedArray")
    record = jax.tree.map(lambda _: leaf, rg.zip({"x": rg.from_lists(ROWS)}, depth_limit=1))
    assert repr(record).startswith("<RecordArray")


def test_shapes_and_donated_buffers():
    x = rg.from_lists(ROWS)
    shapes = jax.eval_shape(lambda x: x, x)
    assert repr(shapes) == "<RaggedArray traced type='3 * var * float32'>"
    x.content.delete()
    assert repr(x).startswith("<RaggedArray")


def test_type_of():
    assert rg.type_of(jnp.zeros((4, 2))) == "float32[4,2]"
    assert rg.type_of(rg.from_lists(ROWS)[:, :, None]) == "3 * var * 1 * float32"
