"""The operations in NumPy, with which the long tables are evaluated, do what JAX's do."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from .stepped import stepped

X = np.random.default_rng(3).normal(size=(4, 3)).round(1)
X[1, 2] = X[0, 1]
I = np.array([[2, 0, -1], [5, 1, 1], [-4, 3, 0], [1, 1, 2]], np.int32)  # noqa: E741 - integers
B = X > 0
OUTSIDE = np.array([3, -1, 0, 9, 1], np.int32)

FUNCTIONS = {
    "arithmetic": lambda x, i, b: (x + x, x - 2, x * x, x / 3, -x, abs(x), x**2, 1 / x**3, x % 0.7, jnp.sign(x)),
    "integers": lambda x, i, b: (i // 2, i % 3, lax.div(i, jnp.int32(-2)), lax.rem(i, jnp.int32(3)), i << 1, i >> 1),
    "division by zero": lambda x, i, b: (lax.div(i, i * 0), lax.rem(i, i * 0), x / 0),
    "bits": lambda x, i, b: (i & 3, i | 4, i ^ 1, ~i, ~b, b & ~b, lax.bitcast_convert_type(x, jnp.int64)),
    "functions": lambda x, i, b: [
        f(x) for f in (jnp.sin, jnp.cos, jnp.tan, jnp.exp, jnp.expm1, jnp.exp2, jnp.sinh, jnp.cosh, jnp.tanh, jnp.cbrt)
    ],
    "inverse functions": lambda x, i, b: [
        f(abs(x) / 9) for f in (jnp.sqrt, jnp.log, jnp.log1p, jnp.arctan, jnp.arcsin, jnp.arctanh, jnp.arcsinh)
    ],
    "two arguments": lambda x, i, b: (
        jnp.arctan2(x, x[::-1]),
        jnp.arccosh(abs(x) + 1),
        abs(x) ** x,
        jnp.maximum(x, x[::-1]),
        jnp.minimum(i, 1),
    ),
    "comparisons": lambda x, i, b: (x < 0, x <= x[0], x > 0, x >= 0.5, x == x[0], i != 1, jnp.isfinite(x / 0)),
    "rounding": lambda x, i, b: (jnp.floor(x), jnp.ceil(x), x.astype(int), b.astype(float), jnp.clip(x, -0.5, 0.5)),
    "numbers too large": lambda x, i, b: ((x * 1e300).astype(int), (x / 0 * 0).astype(int)),
    "reductions": lambda x, i, b: (x.sum(0), i.sum(), x.prod(1), x.max(), i.min(0), b.all(1), b.any(), x[:0].sum(0)),
    "positions": lambda x, i, b: (jnp.argmax(x, 0), jnp.argmin(x, 1), jnp.argmax(x.at[2].set(jnp.nan), 0)),
    "running": lambda x, i, b: (
        jnp.cumsum(x, 0),
        jnp.cumprod(x, 1),
        lax.cummax(i, 1),
        lax.cummin(i),
        lax.cumsum(i, 0, reverse=True),
    ),
    "shapes": lambda x, i, b: (
        x.T,
        x.reshape(2, 6),
        x[:, None],
        jnp.flip(x),
        jnp.stack([x, x], 1),
        jnp.concatenate([x, x], 1),
        jnp.broadcast_to(x[:, :1], (4, 5)),
        jnp.split(x, [1, 3]),
        x[1:4:2, ::2],
        jnp.arange(3.0),
        jnp.squeeze(x[:1]),
    ),
    "padding": lambda x, i, b: (
        lax.pad(x, 7.0, ((1, 2, 0), (0, 1, 2))),
        lax.pad(x, 7.0, ((-1, 2, 0), (0, 0, 0))),
        lax.pad(x[:0], 7.0, ((1, 1, 1), (0, 0, 0))),
    ),
    "choices": lambda x, i, b: (jnp.where(b, x, -x), lax.select_n(i % 3, x, 2 * x, 3 * x)),
    "order": lambda x, i, b: (
        jnp.sort(x.at[1, 1].set(jnp.nan), 1),
        jnp.argsort(-x, 0),
        lax.sort((i, x), dimension=0, num_keys=2),
        lax.sort((i % 2, x), dimension=0, num_keys=1),
    ),
    "taken": lambda x, i, b: (
        [x.at[OUTSIDE].get(mode=mode, wrap_negative_indices=False) for mode in ("clip", "fill")]
        + [x[I[:, 0] % 4, I[:, 1] % 3], jnp.take_along_axis(x, i % 3, 1), i.at[9].get(mode="fill"), x[:, OUTSIDE % 3]]
    ),
    "windows": lambda x, i, b: (
        lax.dynamic_slice(x, (i[0, 0], i[1, 0]), (2, 2)),
        lax.dynamic_update_slice(x, x[:2] * 9, (i[1, 0], jnp.int32(0))),
        x[i[0, 0]],
    ),
    "put": lambda x, i, b: (
        [
            getattr(x.at[OUTSIDE], name)(np.arange(15.0).reshape(5, 3), mode=mode)
            for name in ("set", "add", "max", "min", "mul")
            for mode in (("drop", "clip") if name != "set" else ("drop",))
        ]
        + [x.at[:, 1].add(5.0), x.at[I[:, 0] % 4, I[:, 1] % 3].add(1.0), i.at[1, 2].set(7)]
    ),
    "control": lambda x, i, b: (
        lax.cond(i[0, 0] > 0, jnp.sin, jnp.cos, x),
        lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * 2), (i[0, 0], x)),
        lax.scan(lambda c, r: (c + r, c * r), x[0], x),
        jax.jvp(jax.nn.relu, (x,), (x,)),
    ),
    "derivatives": lambda x, i, b: (
        jax.vjp(lambda x: (jnp.cumsum(x) * jnp.max(x), jnp.sort(x, 0), x[i % 4, 1]), x)[1](
            (jnp.arange(12.0), x, x[:, :3])
        ),
        jax.jvp(lambda x: jnp.prod(x, 1) + jnp.linalg.norm(x), (x,), (x,)),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_jax_does_numpy_does(name, x64):
    arguments = tuple(map(jnp.asarray, (X, I, B)))
    found, expected = (f(FUNCTIONS[name])(*arguments) for f in (stepped, jax.jit))
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
