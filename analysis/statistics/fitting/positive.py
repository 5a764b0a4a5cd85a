"""Equations of a positive definite matrix, without the threads of LAPACK."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

# Above, LAPACK starts threads, which slow it down by orders of magnitude, the more the busier the machine is.
_BLOCK = 48


def solve_positive(matrix: jax.Array, right: jax.Array) -> jax.Array:
    """Solve a symmetric equation.

    A large matrix is reduced block by block (Gauss-Jordan), in products of matrices.

    Parameters
    ----------
    matrix : jax.Array
        Shape (n, n).
    right : jax.Array
        Right-hand sides, shape (n, number).

    Returns
    -------
    jax.Array
        Shape (n, number); NaN when the matrix is not positive definite.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.fitting.positive import solve_positive
    >>> print(solve_positive(jnp.diag(jnp.array([2.0, 4.0])), jnp.ones((2, 1)))[:, 0].round(4))
    [0.5  0.25]
    """
    size = len(matrix)
    if max(right.shape) <= _BLOCK:
        return jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(matrix), True), right)
    blocks = -(-size // _BLOCK)
    missing = blocks * _BLOCK - size
    ones = jnp.diag((np.arange(size + missing) >= size).astype(matrix.dtype))
    padded = jnp.pad(matrix, (0, missing)) + ones
    system = jnp.concatenate([padded, jnp.pad(right, ((0, missing), (0, 0)))], axis=1)
    identity = jnp.eye(_BLOCK, dtype=matrix.dtype)

    def eliminate(block: int, system: jax.Array) -> jax.Array:
        rows = jax.lax.dynamic_slice_in_dim(system, block * _BLOCK, _BLOCK, axis=0)
        columns = jax.lax.dynamic_slice_in_dim(system, block * _BLOCK, _BLOCK, axis=1)
        pivot = jax.lax.dynamic_slice_in_dim(rows, block * _BLOCK, _BLOCK, axis=1)
        inverse = jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(pivot), True), identity)
        rows = inverse @ rows
        return jax.lax.dynamic_update_slice_in_dim(system - columns @ rows, rows, block * _BLOCK, axis=0)

    return jax.lax.fori_loop(0, blocks, eliminate, system)[:size, size + missing :]
