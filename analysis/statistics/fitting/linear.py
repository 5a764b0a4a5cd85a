"""Newton's equations, with the parameters that act on single bins eliminated.

Parameters that do not meet in a bin have a diagonal block; its Schur complement is as small as the number of other
parameters.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from ..histfactory.layout import ModelLayout
from .incidence import arrangement
from .positive import solve_positive

_LEAST_DAMPING = 1e-12  # keeps parameters that nothing determines where they are


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Arrow:
    """A symmetric matrix in the order of `Arrangement`: parameters of single bins have a diagonal block.

    Attributes
    ----------
    layout
        Structure of the model (static).
    rest
        Block of the other parameters, shape (rest, rest).
    cross
        Shape (rest, local).
    local
        Diagonal of the block of local parameters, shape (local,).
    """

    layout: ModelLayout = dataclasses.field(metadata={"static": True})
    rest: jax.Array
    cross: jax.Array
    local: jax.Array

    @classmethod
    def of(cls, layout: ModelLayout, matrix: jax.Array) -> Arrow:
        """Return the arrow of a matrix of shape (parameters, parameters)."""
        where = arrangement(layout)
        rest, cross = matrix[where.rest][:, where.rest], matrix[where.rest][:, where.local]
        return cls(layout, rest, cross, jnp.diag(matrix)[where.local])

    @property
    def matrix(self) -> jax.Array:
        """The matrix, shape (parameters, parameters), in the order of the parameters."""
        order = arrangement(self.layout).order
        whole = jnp.block([[self.rest, self.cross], [self.cross.T, jnp.diag(self.local)]])
        return whole[order][:, order]

    @property
    def diagonal(self) -> jax.Array:
        """Its diagonal, shape (parameters,)."""
        return self._join(jnp.diag(self.rest), self.local)

    def __matmul__(self, vector: jax.Array) -> jax.Array:
        """Return the product with a vector of shape (parameters,)."""
        rest, local = self._split(vector)
        return self._join(self.rest @ rest + self.cross @ local, self.cross.T @ rest + self.local * local)

    def plus(self, diagonal: jax.Array) -> Arrow:
        """Return the arrow with numbers added to its diagonal, shape (parameters,)."""
        rest, local = self._split(diagonal)
        return dataclasses.replace(self, rest=self.rest + jnp.diag(rest), local=self.local + local)

    def solve(self, inner: jax.Array, vector: jax.Array, *, damping: jax.Array | float = 0.0) -> jax.Array:
        """Solve the equation of the inner components; the others are 0.

        ``inner`` is bool, shape (parameters,); ``vector`` is the right-hand side, shape (parameters,), or several,
        shape (parameters, number); ``damping`` is added to the diagonal, relative to it. The result is NaN where the
        matrix is not positive definite.
        """
        scale = self.scale(inner)[:, None]
        complement, over_pivots, pivots = self.complement(inner, damping)
        rest, local = self._split(scale * vector.reshape(len(vector), -1))
        rest_solution = solve_positive(complement, rest - over_pivots @ local)
        solution = self._join(rest_solution, local / pivots[:, None] - over_pivots.T @ rest_solution)
        return (scale * solution).reshape(vector.shape)

    def complement(self, inner: jax.Array, damping: jax.Array | float) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Eliminate the local parameters of the matrix whose diagonal is scaled to 1.

        The first result is the matrix of the rest, less what the local parameters follow, shape (rest, rest); the
        second is the scaled `cross` divided by `pivots`, shape (rest, local); the third the scaled diagonal of the
        local parameters, shape (local,), NaN where not positive. Arguments are as in `solve`.
        """
        scale, local_scale = self._split(self.scale(inner))
        inner_rest, inner_local = self._split(inner)
        pivots = local_scale * self.local * local_scale + jnp.where(inner_local, damping + _LEAST_DAMPING, 1)
        pivots = jnp.where(pivots > 0, pivots, jnp.nan)
        cross = scale[:, None] * self.cross * local_scale
        over_pivots = cross / pivots
        whole = scale[:, None] * self.rest * scale + jnp.diag(jnp.where(inner_rest, damping + _LEAST_DAMPING, 1))
        return whole - over_pivots @ cross.T, over_pivots, pivots

    def scale(self, inner: jax.Array) -> jax.Array:
        """Return the factors that make the diagonal of the inner components 1, 0 for the others; (parameters,)."""
        diagonal = self.diagonal
        return jnp.where(inner, 1 / jnp.sqrt(jnp.where(diagonal == 0, 1, jnp.abs(diagonal))), 0)

    def lift(self, rest: jax.Array, over_pivots: jax.Array) -> jax.Array:
        """Return the vector of all parameters, scaled, in which the local ones follow the rest; (parameters,)."""
        return self._join(rest, -over_pivots.T @ rest)

    def _split(self, vector: jax.Array) -> tuple[jax.Array, jax.Array]:
        where = arrangement(self.layout)
        return vector[where.rest], vector[where.local]

    def _join(self, rest: jax.Array, local: jax.Array) -> jax.Array:
        return jnp.concatenate([rest, local])[arrangement(self.layout).order]


def solve(
    layout: ModelLayout, matrix: jax.Array, inner: jax.Array, vector: jax.Array, *, damping: jax.Array | float = 0.0
) -> jax.Array:
    """Solve the symmetric equation of the inner components; the others are 0.

    The matrix is a Hessian or Fisher information, shape (parameters, parameters); ``inner``, ``vector``, ``damping``
    and the result are as for `Arrow.solve`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.fitting.linear import solve
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, ShapeFactor
    >>> model = Model([FitChannel("SR", [FitSample("signal", [4.0, 3.0], [ShapeFactor("free")])])])
    >>> print(solve(model.layout, jnp.diag(jnp.array([2.0, 5.0])), jnp.array([True, False]), jnp.ones(2)))
    [0.5 0. ]
    """
    return Arrow.of(layout, matrix).solve(inner, vector, damping=damping)


def no_arrow(layout: ModelLayout, dtype: Any) -> Arrow:
    """Return the arrow of zeros."""
    rest, local = arrangement(layout).rest.size, arrangement(layout).local.size
    return Arrow(layout, jnp.zeros((rest, rest), dtype), jnp.zeros((rest, local), dtype), jnp.zeros(local, dtype))
