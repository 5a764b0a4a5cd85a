"""Information, covariance and correlation of the parameters: what a measurement can know."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..fitting.hessian import information_matrix
from ..fitting.linear import solve
from ..histfactory import Model
from ..histfactory.layout import ModelLayout


def fisher_information(model: Model, parameters: Any) -> jax.Array:
    r"""Return the expected Fisher information at a point, that of the auxiliary measurements included.

    .. math:: I_{ij} = -\text{E} \left[ \frac{\partial^2 \ln L}{\partial \theta_i \partial \theta_j} \right],

    the Hessian of :math:`-\ln L` on the Asimov data of this point. This is the information; its inverse is the
    `covariance`.

    Parameters
    ----------
    model
        Its templates may be traced.
    parameters
        The point, shape (parameters,).

    Returns
    -------
    jax.Array
        Shape (parameters, parameters). Rows of parameters that change nothing are zero; bins where nothing is expected
        give no information.

    Raises
    ------
    ValueError
        When the shape of `parameters` is wrong.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference import fisher_information
    >>> model = Model([FitChannel("SR", [FitSample("signal", [100.0], [NormFactor("mu")])])])
    >>> print(fisher_information(model, model.initial))
    [[100.]]
    """
    return _information(model, jnp.asarray(parameters, model.templates.nominal.dtype))


def covariance(model: Model, information: Any) -> jax.Array:
    """Return the covariance of the estimates, the inverse of the information.

    Parameters
    ----------
    model
        Says which parameters fits hold.
    information
        Shape (parameters, parameters): `fisher_information` for the expected covariance, the Hessian of a fit for the
        observed one.

    Returns
    -------
    jax.Array
        Shape (parameters, parameters); zero for the parameters that fits hold. NaN when the information is singular,
        that is, when the data do not determine all parameters.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference import covariance, fisher_information
    >>> model = Model([FitChannel("SR", [FitSample("signal", [100.0], [NormFactor("mu")])])])
    >>> print(covariance(model, fisher_information(model, model.initial)))
    [[0.01]]
    """
    matrix = jnp.asarray(information)
    diagonal = jnp.diag(matrix)
    scale = jnp.where(model.fixed, 0, jax.lax.rsqrt(jnp.where(model.fixed, 1, diagonal)))
    return scale[:, None] * jnp.linalg.inv(scale[:, None] * matrix * scale + jnp.diag(model.fixed * 1.0)) * scale


def correlation(covariance: Any) -> jax.Array:
    """Return the correlation coefficients of a covariance.

    Parameters
    ----------
    covariance
        Shape (parameters, parameters).

    Returns
    -------
    jax.Array
        Same shape; 1 on the diagonal, 0 beside it for parameters without variance.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.inference import correlation
    >>> print(correlation(jnp.array([[4.0, 1.0], [1.0, 1.0]])))
    [[1.  0.5]
     [0.5 1. ]]
    """
    matrix = jnp.asarray(covariance)
    variance = jnp.diag(matrix)
    deviation = jnp.sqrt(jnp.where(variance > 0, variance, 1))
    return jnp.where(jnp.eye(len(matrix), dtype=bool), 1, matrix / deviation / deviation[:, None])


def profiled_direction(
    layout: ModelLayout, information: jax.Array, index: int | jax.Array, *, free: jax.Array
) -> jax.Array:
    r"""Return by how much the estimates of all parameters move when one is moved by 1.

    For the information I, the direction u with :math:`u_p = 1` that minimises :math:`u^T I u`; the minimum is
    :math:`1 / \sigma_p^2`, the information on p after profiling the others, and is 0 if p changes nothing. ``index`` is
    p, and ``free`` (bool, shape (parameters,)) tells which parameters are profiled.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference.curvature import fisher_information, profiled_direction
    >>> background = FitSample("background", [10.0, 20.0], [NormFactor("k")])
    >>> model = Model([FitChannel("SR", [FitSample("signal", [10.0, 0.0], [NormFactor("mu")]), background])])
    >>> information = fisher_information(model, model.initial)
    >>> u = profiled_direction(model.layout, information, 1, free=~model.fixed)
    >>> print(f"{u[0]:.2f}, {u @ information @ u:.2f}")
    -0.20, 4.00
    """
    others = free.at[index].set(False)
    return -solve(layout, information, others, information[:, index]).at[index].set(-1)


def deviation(information: jax.Array, direction: jax.Array) -> jax.Array:
    r"""Return the uncertainty :math:`1 / \sqrt{u^T I u}` along a direction; 1 where there is no information.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.inference.curvature import deviation
    >>> print(deviation(jnp.diag(jnp.array([4.0, 1.0])), jnp.array([1.0, 0.0])))
    0.5
    """
    precision = direction @ information @ direction
    return jnp.where(precision > 0, jax.lax.rsqrt(jnp.where(precision > 0, precision, 1)), 1)


@jax.jit
def _information(model: Model, parameters: jax.Array) -> jax.Array:
    return information_matrix(model, model.vector(parameters))
