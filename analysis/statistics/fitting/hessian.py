"""Exact second derivatives of the likelihood, with fewer tangents than parameters."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..histfactory.model import Model
from .incidence import incidence


def nll(model: Model, parameters: jax.Array, data: jax.Array) -> jax.Array:
    """Return the negative log-likelihood, less that of the saturated model; half of `Model.deviance`.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, Model, NormFactor, Sample
    >>> from hepgrad.analysis.statistics.fitting.hessian import nll
    >>> model = Model([FitChannel("SR", [Sample("signal", [4.0], [NormFactor("mu")])])])
    >>> print(nll(model, model.initial, model.expected_data(model.initial)))
    0.0
    """
    return 0.5 * model.deviance(parameters, data)


class Derivatives(NamedTuple):
    """Value, first and second derivatives of `nll` with respect to the parameters.

    Attributes
    ----------
    value
        Scalar.
    gradient
        Shape (parameters,).
    hessian
        Exact second derivatives, shape (parameters, parameters); not positive definite far from a minimum.
    information
        Fisher information, the expectation of the Hessian over data that these parameters predict, same shape.
    """

    value: jax.Array
    gradient: jax.Array
    hessian: jax.Array
    information: jax.Array


def derivatives(model: Model, parameters: jax.Array, data: jax.Array) -> Derivatives:
    r"""Return value, gradient, exact Hessian and Fisher information.

    The information is :math:`\sum_b \partial_i \nu_b \, \partial_j \nu_b / \nu_b` of the bins and
    :math:`\delta_{ij} / \sigma_i^2` or :math:`\delta_{ij} \tau_i / \theta_i` of the constraints.

    Parameters of different bins (``staterror``, ``shapesys``, ``shapefactor``) do not meet in the likelihood, so one
    tangent serves many of them (a coloured Hessian): the cost is that of the scalar parameters and a few more.

    Parameters
    ----------
    model : Model
    parameters : jax.Array
        Shape (parameters,).
    data : jax.Array
        In the layout of `Model.data`.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.fitting.hessian import derivatives
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, Model, NormFactor, Sample
    >>> model = Model([FitChannel("SR", [Sample("signal", [4.0], [NormFactor("mu")])])])
    >>> print(*derivatives(model, model.initial, model.data({"SR": [8.0]})))
    1.5451775 [-4.] [[8.]] [[4.]]
    """
    structure = incidence(model.layout)

    def differentiated(x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        return *jax.value_and_grad(nll, argnums=1)(model, x, data), model.expected_actualdata(x)

    (value, gradient, expected), tangents = jax.linearize(differentiated, parameters)
    seeds = jnp.asarray(structure.colour == np.arange(structure.colour.max() + 1)[:, None], parameters.dtype)
    # each row is the sum over the parameters of a colour
    _, gradient_dot, expected_dot = (rows[structure.colour] for rows in jax.vmap(tangents)(seeds))
    scalar = structure.scalar
    hessian = jnp.where(scalar, gradient_dot.T, jnp.where(scalar[:, None], gradient_dot, 0))
    hessian = jnp.where(structure.meet, gradient_dot, hessian)

    jacobian = jnp.where(scalar[:, None] | structure.touches, expected_dot, 0)
    inverse = jnp.where(expected > 0, 1 / jnp.where(expected > 0, expected, 1), 0)
    information = (jacobian * inverse) @ jacobian.T + jnp.diag(model.constraints.information(parameters))
    return Derivatives(value, gradient, hessian, information)
