"""Equations of a positive definite matrix, without the threads of LAPACK."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

# Above, and for several right-hand sides, LAPACK starts threads, which slow it down by orders of magnitude, the more so
# the busier the machine is.
_BLOCK = 48


def solve_positive(matrix: jax.Array, right: jax.Array) -> jax.Array:
    """Solve a symmetric equation.

    A large matrix is reduced block by block (Gauss-Jordan), in products of matrices. Right-hand sides have shape (n,
    number); the result is NaN when the matrix is not positive definite.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.fitting.positive import solve_positive
    >>> print(solve_positive(jnp.diag(jnp.array([2.0, 4.0])), jnp.ones((2, 1)))[:, 0].round(4))
    [0.5  0.25]
    """
    size = len(matrix)
    if size == 0 or (size <= _BLOCK and right.shape[1] == 1):
        return jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(matrix), True), right)
    width = min(size, _BLOCK)
    blocks = -(-size // width)
    missing = blocks * width - size
    ones = jnp.diag((np.arange(size + missing) >= size).astype(matrix.dtype))
    padded = jnp.pad(matrix, (0, missing)) + ones
    system = jnp.concatenate([padded, jnp.pad(right, ((0, missing), (0, 0)))], axis=1)

    def eliminate(block: int, system: jax.Array) -> jax.Array:
        rows = jax.lax.dynamic_slice_in_dim(system, block * width, width, axis=0)
        columns = jax.lax.dynamic_slice_in_dim(system, block * width, width, axis=1)
        pivot = jax.lax.dynamic_slice_in_dim(rows, block * width, width, axis=1)
        rows = _inverse(pivot) @ rows
        return jax.lax.dynamic_update_slice_in_dim(system - columns @ rows, rows, block * width, axis=0)

    return jax.lax.fori_loop(0, blocks, eliminate, system)[:size, size + missing :]


def _inverse(matrix: jax.Array) -> jax.Array:
    """Invert a small matrix row by row; NaN when it is not positive definite."""
    number = jnp.arange(len(matrix))

    def eliminate(k: int, matrix: jax.Array) -> jax.Array:
        row, column = matrix[k], matrix[:, k]
        pivot = jnp.where(row[k] > 0, row[k], jnp.nan)
        reduced = matrix - column[:, None] * (row / pivot)
        reduced = jnp.where(number == k, -column[:, None] / pivot, reduced)
        return jnp.where(number[:, None] == k, jnp.where(number == k, 1, row) / pivot, reduced)

    return jax.lax.fori_loop(0, len(matrix), eliminate, matrix)
