"""Smooth operations: their definitions in NumPy, their hard limits, stability and derivatives."""

from __future__ import annotations

import dataclasses

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg

pytestmark = pytest.mark.usefixtures("quick_compilation")

ROWS = [[1.0, 4.0, -2.0], [], [0.5], [3.0, 3.0, 1.0, 7.0], [-1.0, -1.5]]
SIZE = sum(map(len, ROWS))


def slack():
    x = rg.from_lists(ROWS, capacity=SIZE + 4, max_length=4)
    return x.with_content(x.content.at[SIZE:].set(jnp.nan))


def weights(row, temperature):
    w = np.exp((np.array(row) - np.max(row)) / temperature)
    return w / w.sum()


def neural_sort(row, temperature):
    s, n = np.array(row), len(row)
    spread = np.abs(s[:, None] - s).sum(axis=1)
    return [weights((n - 1 - 2 * i) * s - spread, temperature) @ s for i in range(n)]


DEFINITIONS = {
    "softmax": (rg.softmax, weights),
    "logsumexp": (
        lambda x, temperature: rg.logsumexp(x, axis=1, temperature=temperature),
        lambda row, t: t * np.log(np.sum(np.exp(np.array(row) / t))) if row else -np.inf,
    ),
    "softmin": (rg.softmin, lambda row, t: weights(-np.array(row), t) @ row if row else np.inf),
    "soft_argmax": (rg.soft_argmax, lambda row, t: weights(row, t) @ np.arange(len(row)) if row else -1.0),
    "soft_rank": (
        rg.soft_rank,
        lambda row, t: [sum(1 / (1 + np.exp(-(a - b) / t)) for b in row) - 0.5 for a in row],
    ),
    "soft_sort": (
        lambda x, temperature: rg.soft_sort(x, temperature=temperature, ascending=False),
        neural_sort,
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", DEFINITIONS)
def test_definition(name):
    ours, numpy = DEFINITIONS[name]
    expected = [numpy(row, 0.7) if row or not name.startswith(("softmax", "soft_r", "soft_s")) else [] for row in ROWS]
    for x in (rg.from_lists(ROWS), slack()):
        result = jax.jit(ours)(x, temperature=0.7)
        flat = result.content[:SIZE] if isinstance(result, rg.RaggedArray) else result
        np.testing.assert_allclose(flat, np.hstack([np.ravel(e) for e in expected]), rtol=1e-5, atol=1e-6)
        eager = ours(x, temperature=0.7)
        flat_eager = eager.content[:SIZE] if isinstance(eager, rg.RaggedArray) else eager
        np.testing.assert_allclose(flat_eager, flat, rtol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("name", DEFINITIONS)
def test_derivatives(name, x64):
    x = slack()
    content = x.content.astype(float)

    def loss(content):
        result = DEFINITIONS[name][0](x.with_content(content), temperature=0.7)
        result = result.content[:SIZE] if isinstance(result, rg.RaggedArray) else result
        return jnp.sum(jnp.where(jnp.isfinite(result), result, 0) * jnp.cos(jnp.arange(float(result.size))))

    @jax.jit
    def derivatives(c):
        return jax.grad(loss)(c), jax.jacfwd(loss)(c), jax.jacfwd(jax.grad(loss))(c)

    reverse, forward, twice = derivatives(content)
    nudges = 1e-5 * jnp.eye(SIZE + 4)[:SIZE]
    differences, curvature = jax.jit(
        jax.vmap(
            lambda d: jax.tree.map(
                lambda a, b: (a - b) / 2e-5, *(jax.value_and_grad(loss)(content + s * d) for s in (1, -1))
            )
        )
    )(nudges)
    np.testing.assert_allclose(reverse, forward, atol=1e-12)
    np.testing.assert_allclose(reverse[:SIZE], differences, atol=2e-6)
    np.testing.assert_array_equal(reverse[SIZE:], 0)
    np.testing.assert_array_equal(twice[SIZE:], 0)
    if name != "soft_sort":  # abs(x_j - x_k) has no second derivative at ties
        np.testing.assert_allclose(twice[:SIZE], curvature, atol=1e-6)


def test_hard_limits():
    x = rg.from_lists(ROWS)
    small = {"temperature": 1e-3}
    assert rg.to_list(rg.softmax(x, **small)) == [[0, 1, 0], [], [1], [0, 0, 0, 1], [1, 0]]
    np.testing.assert_allclose(rg.logsumexp(x, axis=1, **small), rg.max(x, axis=1), rtol=1e-6)
    np.testing.assert_allclose(rg.softmin(x, **small), rg.min(x, axis=1), rtol=1e-6)
    np.testing.assert_allclose(rg.soft_argmax(x, **small), rg.argmax(x, axis=1), atol=1e-6)
    for ascending in (True, False):
        assert rg.to_list(rg.soft_sort(x, ascending=ascending, **small)) == rg.to_list(rg.sort(x, ascending=ascending))
    ranks = [[1, 2, 0], [], [0], [1.5, 1.5, 0, 3], [1, 0]]
    assert rg.to_list(rg.soft_rank(x, **small)) == ranks
    assert rg.to_list(rg.soft_rank(x, ascending=False, **small)) == [[len(row) - 1 - r for r in row] for row in ranks]


def test_large_and_infinite_numbers():
    x = rg.from_lists([[1e30, 1e30], [-1e30, 0.0], [-np.inf, 2.0], []])
    np.testing.assert_allclose(rg.softmax(x).content, [0.5, 0.5, 0, 1, 0, 1])
    np.testing.assert_allclose(rg.logsumexp(x, axis=1), [1e30, 0, 2, -np.inf])
    gradient = jax.grad(lambda c: rg.logsumexp(x.with_content(c), axis=1)[:3].sum())(x.content)
    np.testing.assert_allclose(gradient, [0.5, 0.5, 0, 1, 0, 1])
    y = rg.from_lists([[np.inf, 2.0]])
    assert rg.softmin(y)[0] == 2


def test_softmax_as_awkward_and_along_other_axes():
    expected = ak.to_list(ak.softmax(ak.Array(ROWS), axis=-1))
    np.testing.assert_allclose(rg.softmax(rg.from_lists(ROWS)).content, np.concatenate(expected), rtol=1e-6)
    x = rg.from_lists(ROWS)
    for axis in (0, None):
        np.testing.assert_allclose(rg.sum(rg.softmax(x, axis=axis), axis=axis), 1, rtol=1e-6)
    np.testing.assert_allclose(rg.logsumexp(x), jax.nn.logsumexp(x.content), rtol=1e-6)
    assert rg.logsumexp(x, axis=1, keepdims=True).shape == (5, 1)


def test_temperature_is_differentiable():
    x = rg.from_lists(ROWS)
    for function in (rg.softmin, rg.soft_argmax):
        gradient = jax.grad(lambda t, of=function: of(x, temperature=t)[2:].sum())(0.7)
        assert np.isfinite(gradient) and gradient != 0


def test_sizes_inside_jit():
    x = rg.from_lists(ROWS, capacity=20)
    pairs = sum(len(row) ** 2 for row in ROWS)
    result = jax.jit(lambda x: rg.soft_rank(x, capacity=pairs))(x)
    np.testing.assert_allclose(result.content[:SIZE], rg.soft_rank(rg.from_lists(ROWS)).content, rtol=1e-6)
    with pytest.raises(TypeError, match="capacity="):
        jax.jit(rg.soft_rank)(dataclasses.replace(x, max_length=None))
    with pytest.raises(rg.CapacityError, match="soft_sort"):
        rg.soft_sort(x, capacity=pairs - 1)
