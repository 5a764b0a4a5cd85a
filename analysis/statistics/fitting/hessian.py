"""The negative log-likelihood as a fit sees it: a function of the parameters, with its derivatives."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..histfactory.constraints import Constraints
from ..histfactory.densities import poisson_deviance
from ..histfactory.evaluation import Expectation, expectation
from ..histfactory.layout import ModelLayout
from ..histfactory.model import Model
from ..histfactory.structure import slots
from .incidence import arrangement
from .linear import Arrow
from .slopes import Slopes, bend, slopes

_HIGHEST = jax.lax.Precision.HIGHEST


def nll(model: Model, parameters: jax.Array, data: jax.Array) -> jax.Array:
    """Return the negative log-likelihood, less that of the saturated model; half of `Model.deviance`.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.fitting.hessian import nll
    >>> model = Model([FitChannel("SR", [FitSample("signal", [4.0], [NormFactor("mu")])])])
    >>> print(nll(model, model.initial, model.expected_data(model.initial)))
    0.0
    """
    return 0.5 * model.deviance(parameters, data)


class Derivatives(NamedTuple):
    """Value and derivatives of the negative log-likelihood at one point.

    Attributes
    ----------
    value
        Less that of the saturated model, scalar.
    gradient
        Shape (parameters,).
    hessian
        The exact second derivatives, which are not positive definite far from a minimum.
    rounding
        By how much `value` may be wrong because numbers are rounded, scalar.
    slopes
        Expected events and their first derivatives.
    """

    value: jax.Array
    gradient: jax.Array
    hessian: Arrow
    rounding: jax.Array
    slopes: Slopes


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Likelihood:
    """A model and data, with what does not depend on the parameters computed once.

    Of the data, ``main`` are events in bins and ``auxiliary`` auxiliary data.
    """

    expectation: Expectation
    constraints: Constraints
    main: jax.Array
    auxiliary: jax.Array

    def value(self, parameters: jax.Array) -> jax.Array:
        """Return the negative log-likelihood, less that of the saturated model; scalar."""
        bins = poisson_deviance(self.main, self.expectation.total(parameters))
        return 0.5 * jnp.sum(bins) + self._constraint(parameters)

    def derivatives(self, parameters: jax.Array, forces: jax.Array | None = None) -> Derivatives:
        r"""Return value, gradient and exact Hessian.

        With the derivatives of the expected events :math:`\nu_b`,

        .. math:: H_{ij} = \sum_b \frac{n_b}{\nu_b^2} \partial_i \nu_b \, \partial_j \nu_b
                  + \left(1 - \frac{n_b}{\nu_b}\right) \partial_i \partial_j \nu_b + \dots,

        and the constraints add to the diagonal. Rates that are pressed against zero are subtracted from what is
        derived twice, times ``forces`` (see `empty.Rates`), shape (bins,).
        """
        layout = self.expectation.layout
        slope, parts = slopes(self.expectation, parameters)
        inverse = _inverse(slope)
        pull = 1 - self.main * inverse
        constraint = jax.grad(self._constraint)
        pull_aux, curvature = jax.jvp(constraint, (parameters,), (jnp.ones_like(parameters),))

        gradient = combined(layout, slope, pull) + pull_aux
        value = 0.5 * jnp.sum(poisson_deviance(self.main, slope.expected)) + self._constraint(parameters)
        size = 1 + value + jnp.sum(jnp.abs(pull) * slope.expected) + jnp.sum(jnp.abs(pull_aux * parameters))
        if forces is not None:
            pull -= forces
        bent = bend(self.expectation, parts, pull)
        hessian = products(layout, slope, self.main * inverse**2, curvature, pull, bent)
        rounding = size * float(np.finfo(parameters.dtype).eps)
        return Derivatives(value, gradient, hessian, rounding, slope)

    def information(self, parameters: jax.Array, slope: Slopes) -> Arrow:
        r"""Return the Fisher information, the expectation of the Hessian over data that the parameters predict.

        .. math:: I_{ij} = \sum_b \frac1{\nu_b} \partial_i \nu_b \, \partial_j \nu_b + \dots,

        of which ``slope`` are the derivatives of the expected events; the constraints add to the diagonal.
        """
        return products(self.expectation.layout, slope, _inverse(slope), self.constraints.information(parameters))

    def information_diagonal(self, parameters: jax.Array, slope: Slopes) -> jax.Array:
        """Return the diagonal of `information`, shape (parameters,), without the matrix."""
        squares = jax.tree.map(jnp.square, slope)
        diagonal = combined(self.expectation.layout, squares, _inverse(slope))
        return diagonal + self.constraints.information(parameters)

    def _constraint(self, parameters: jax.Array) -> jax.Array:
        return 0.5 * self.constraints.deviance(parameters, self.auxiliary)


def likelihood(model: Model, data: jax.Array) -> Likelihood:
    """Return the likelihood of data.

    Data are in the layout of `Model.data`.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.fitting.hessian import likelihood
    >>> model = Model([FitChannel("SR", [FitSample("signal", [4.0], [NormFactor("mu")])])])
    >>> found = likelihood(model, model.data({"SR": [8.0]})).derivatives(model.initial)
    >>> print(found.value, found.gradient, found.hessian.matrix)
    1.5451775 [-4.] [[8.]]
    """
    return Likelihood(expectation(model.layout, model.templates), model.constraints, *model.split(data))


def information_matrix(model: Model, parameters: jax.Array) -> jax.Array:
    """Return the Fisher information of a model, shape (parameters, parameters)."""
    slope, _ = slopes(expectation(model.layout, model.templates), parameters)
    return products(model.layout, slope, _inverse(slope), model.constraints.information(parameters)).matrix


def variances(model: Model, parameters: jax.Array, deviations: jax.Array) -> jax.Array:
    """Return the variance of the expected events of each bin when the parameters are uncertain, shape (bins,).

    ``deviations``, shape (parameters,), are uncertainties of the parameters, which are independent.
    """
    slope, _ = slopes(expectation(model.layout, model.templates), parameters)
    scalars = deviations[arrangement(model.layout).scalars]
    by_slot = jnp.append(deviations, 0)[slots(model.layout).parameter]
    return scalars**2 @ slope.jacobian[0] ** 2 + jnp.sum((by_slot * slope.by_slot) ** 2, axis=0)


def combined(layout: ModelLayout, slope: Slopes, weights: jax.Array) -> jax.Array:
    """Return the derivatives of a weighted sum of the expected events, shape (parameters,)."""
    where = arrangement(layout)
    scalars, binned = slope.jacobian[0] @ weights, _collected(layout, slope.by_slot * weights)
    return jnp.concatenate([scalars, binned])[np.argsort(np.concatenate([where.scalars, where.binned]))]


def products(
    layout: ModelLayout,
    slope: Slopes,
    weight: jax.Array,
    diagonal: jax.Array,
    pull: jax.Array | float = 0.0,
    bent: tuple[jax.Array, jax.Array] | tuple[float, float] = (0.0, 0.0),
) -> Arrow:
    """Return the matrix of weighted products of first derivatives, and what the second derivatives add."""
    where = arrangement(layout)
    jacobian = slope.jacobian[0]
    scalars = jnp.matmul(jacobian * weight, jacobian.T, precision=_HIGHEST)
    binned = weight * slope.by_slot[:, None] * slope.by_slot
    cross = (weight * jacobian)[:, None] * slope.by_slot
    scalars, binned = scalars + bent[0], binned + bent[1]
    cross += pull * slope.jacobian[1:].swapaxes(0, 1)

    number = where.scalars.size
    cross = _collected(layout, cross)
    place = np.full(layout.size + 1, where.order.size, np.int32)  # of each parameter, in the order of the arrow
    place[:-1] = where.order
    is_local = np.isin(where.binned, where.local)
    own = _collected(layout, jnp.diagonal(binned).T)
    rest, local = scalars, own[is_local]
    cross, others = cross[:, is_local], cross[:, ~is_local]
    if where.rest.size > number:
        holder = place[slots(layout).parameter]
        size = layout.size + 1
        pairs = jnp.zeros((size, size), scalars.dtype).at[holder[:, None], holder[None]].add(binned)
        pairs = pairs[number : where.rest.size, number:-1]
        inner = pairs[:, : len(pairs)]
        rest = jnp.block([[scalars, others], [others.T, inner]])
        cross = jnp.concatenate([cross, pairs[:, len(pairs) :]])
    rest += jnp.diag(diagonal[where.rest])
    return Arrow(layout, rest, cross, local + diagonal[where.local])


def _inverse(slope: Slopes) -> jax.Array:
    """Return one over the expected events, 0 where there are none; shape (bins,)."""
    positive = slope.expected > 0
    return jnp.where(positive, 1 / jnp.where(positive, slope.expected, 1), 0)


def _collected(layout: ModelLayout, by_slot: jax.Array) -> jax.Array:
    """Add up the numbers of slots, shape (..., slots, bins), for each parameter of bins; shape (..., binned)."""
    places = by_slot.reshape(*by_slot.shape[:-2], -1)
    padded = jnp.concatenate([places, jnp.zeros_like(places[..., :1])], axis=-1) if places.shape[-1] else places
    return jnp.sum(padded[..., arrangement(layout).visits], axis=-2)
