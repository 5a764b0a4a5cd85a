"""Newton's equations, with the parameters that act on single bins eliminated."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ..histfactory.layout import ModelLayout
from .incidence import incidence

_LEAST_DAMPING = 1e-12  # keeps parameters that nothing determines where they are


def solve(
    layout: ModelLayout, matrix: jax.Array, inner: jax.Array, vector: jax.Array, *, damping: jax.Array | float = 0.0
) -> jax.Array:
    """Solve the symmetric equation of the inner components; the others are 0.

    Parameters that do not meet in a bin have a diagonal block; its Schur complement is as small as the number of other
    parameters. That saves time, and the small matrices stay below the size at which LAPACK starts threads, which slow
    it down by orders of magnitude on a busy machine.

    Parameters
    ----------
    layout : ModelLayout
        Structure of the model.
    matrix : jax.Array
        Hessian or Fisher information, shape (parameters, parameters).
    inner : jax.Array
        Shape (parameters,), bool.
    vector : jax.Array
        Right-hand side, shape (parameters,).
    damping
        Added to the diagonal, relative to it.

    Returns
    -------
    jax.Array
        Shape (parameters,); NaN where the matrix is not positive definite.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.fitting.linear import solve
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, Model, Sample, ShapeFactor
    >>> model = Model([FitChannel("SR", [Sample("signal", [4.0, 3.0], [ShapeFactor("free")])])])
    >>> print(solve(model.layout, jnp.diag(jnp.array([2.0, 5.0])), jnp.array([True, False]), jnp.ones(2)))
    [0.5 0. ]
    """
    separable = incidence(layout).separable
    local, rest = np.flatnonzero(separable), np.flatnonzero(~separable)
    diagonal = jnp.diag(matrix)
    scale = jnp.where(inner, 1 / jnp.sqrt(jnp.where(diagonal == 0, 1, jnp.abs(diagonal))), 0)
    scaled = scale[:, None] * matrix * scale + jnp.diag(jnp.where(inner, damping + _LEAST_DAMPING, 1))
    scaled_vector = scale * vector

    pivots = jnp.diag(scaled)[local]
    cross = scaled[np.ix_(rest, local)] / jnp.where(pivots > 0, pivots, jnp.nan)
    complement = scaled[np.ix_(rest, rest)] - cross @ scaled[np.ix_(local, rest)]
    factor = jnp.linalg.cholesky(complement), True
    rest_solution = jax.scipy.linalg.cho_solve(factor, scaled_vector[rest] - cross @ scaled_vector[local])
    local_solution = scaled_vector[local] / pivots - cross.T @ rest_solution
    return scale * jnp.concatenate([rest_solution, local_solution])[np.argsort(np.concatenate([rest, local]))]
