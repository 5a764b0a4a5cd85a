"""Bins without events: their expected events may be pressed against zero, where the likelihood ends."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..histfactory.layout import ModelLayout
from ..histfactory.structure import slots
from .box import BoxStep, box_step
from .incidence import arrangement
from .linear import Arrow
from .slopes import Slopes

_MOST = 40  # corrections of a step
_LEAST = 1e-12  # what stands for no curvature
_ROUNDED = 8  # rounding errors of the terms of a rate
_STIFFNESS = 1e6  # relative to other curvatures: half of the digits, for `linear` damps the last ones


class Rates(NamedTuple):
    """Expected events as linear functions of a step, and which of them must not become negative.

    Attributes
    ----------
    slopes
        Expected events and their derivatives.
    empty
        Bins in which nothing is observed, shape (bins,), bool.
    rounding
        By how much the expected events may be wrong because numbers are rounded, shape (bins,).
    """

    slopes: Slopes
    empty: jax.Array
    rounding: jax.Array

    def along(self, layout: ModelLayout, step: jax.Array) -> jax.Array:
        """Return by how much the expected events change, shape (bins,)."""
        by_slot = jnp.append(step, 0)[slots(layout).parameter]
        scalars = step[arrangement(layout).scalars] @ self.slopes.jacobian[:, 0]
        return scalars + jnp.sum(by_slot * self.slopes.by_slot, axis=0)

    def pull(self, layout: ModelLayout, forces: jax.Array) -> jax.Array:
        """Return the slope of a weighted sum of the expected events, shape (parameters,)."""
        of_step = jax.linear_transpose(lambda step: self.along(layout, step), jnp.zeros(layout.size, forces.dtype))
        (slope,) = of_step(forces)
        return slope

    def row(self, layout: ModelLayout, number: jax.Array) -> jax.Array:
        """Return the derivatives of the expected events of one bin, shape (parameters,)."""
        row = jnp.zeros(layout.size + 1, self.rounding.dtype)
        row = row.at[arrangement(layout).scalars].set(self.slopes.jacobian[:, 0, number])
        return row.at[jnp.asarray(slots(layout).parameter)[:, number]].set(self.slopes.by_slot[:, number])[:-1]

    def pressed(self, matrix: Arrow, weights: jax.Array) -> Arrow:
        """Add the curvature of the expected events of some bins, those with a weight; shape (bins,)."""

        def add(state: tuple[Arrow, jax.Array]) -> tuple[Arrow, jax.Array]:
            matrix, weights = state
            number = jnp.argmax(weights)
            row = self.row(matrix.layout, number)
            return matrix.plus_product(weights[number], row), weights.at[number].set(0)

        return jax.lax.while_loop(lambda state: (state[1] > 0).any(), add, (matrix, weights))[0]

    def left(self, forces: jax.Array) -> jax.Array:
        """Return by how much the value could fall if the rates that are pressed against zero did, scalar."""
        return jnp.sum(forces * jnp.maximum(self.slopes.expected - 2 * self.rounding, 0))

    def stiff(self, forces: jax.Array) -> jax.Array:
        """Return the curvature with which a step keeps rates above zero, shape (bins,)."""
        return forces / jnp.maximum(self.slopes.expected, self.rounding)

    def stiff_enough(self, forces: jax.Array, matrix: Arrow) -> jax.Array:
        """Return the curvature that keeps rates where they are, but leaves digits for the matrix; shape (bins,)."""
        diagonal = jnp.append(jnp.abs(matrix.diagonal), 1)
        layout = matrix.layout
        scalars = self.slopes.jacobian[:, 0] ** 2 / diagonal[arrangement(layout).scalars][:, None]
        binned = self.slopes.by_slot**2 / diagonal[slots(layout).parameter]
        softness = jnp.max(jnp.concatenate([scalars, binned]), axis=0, initial=0)
        natural = soft(forces) + jnp.where(softness > 0, 1 / jnp.where(softness > 0, softness, 1), 0)
        return jnp.where(forces > 0, jnp.minimum(self.stiff(forces), _STIFFNESS * natural), 0)


def soft(forces: jax.Array) -> jax.Array:
    """Return the curvature of a parabola that rises by one half where these slopes do."""
    return 4 * forces**2


def rates(layout: ModelLayout, slopes: Slopes, main: jax.Array, parameters: jax.Array) -> Rates:
    """Return the rates at a point; ``main`` are the events in bins, shape (bins,)."""
    size = jnp.abs(parameters[arrangement(layout).scalars]) @ jnp.abs(slopes.jacobian[:, 0])
    size += jnp.abs(slopes.expected)
    return Rates(slopes, main == 0, _ROUNDED * float(np.finfo(size.dtype).eps) * size)


class _State(NamedTuple):
    round: jax.Array
    matrix: Arrow
    weights: jax.Array
    number: jax.Array
    extra: jax.Array
    box: BoxStep
    forces: jax.Array
    done: jax.Array


def step_inside(
    matrix: Arrow,
    gradient: jax.Array,
    free: jax.Array,
    lower: jax.Array,
    upper: jax.Array,
    rates: Rates,
    forces: jax.Array,
    fall: jax.Array,
) -> tuple[BoxStep, jax.Array]:
    r"""Minimise a parabola inside bounds, and where no bin without events would have less than none.

    Such a bin adds its rate :math:`\nu` to the negative log-likelihood, which says nothing of where that ends: the
    parabola leads beyond, by a. A curvature :math:`w = |a| / (s \nu)` along the rate, where :math:`1 / s` is that of
    the parabola, leaves :math:`\nu^2 / (\nu + |a|)` of it, so that the rate falls quadratically to the end, and the
    rest of the parameters take their best values there. That is a step of a primal-dual interior point method: the
    multiplier :math:`\lambda`, the force with which the rate is pressed against zero, is that of the parabola, and the
    curvature is :math:`\lambda / \nu`.

    Other arguments are as in `box_step`. ``forces`` are those of the last step, shape (bins,), whose curvature the
    matrix holds already; those after this one are returned, too. ``fall`` (scalar) is the least part that is left of a
    rate: other parameters have to come near their best values first, because rates are not linear.
    """
    layout, nu, least = matrix.layout, rates.slopes.expected, rates.rounding
    tiny = float(np.finfo(nu.dtype).tiny)

    def improve(state: _State) -> _State:
        matrix = state.matrix.plus_product(state.extra, rates.row(layout, state.number))
        box = box_step(matrix, gradient, free, lower, upper)
        weights = state.weights.at[state.number].add(state.extra)
        change = rates.along(layout, box.step)
        edge = jnp.where(weights > 0, 0.5 * jnp.maximum(fall * nu, jnp.minimum(nu, least)), -least)
        crossing = rates.empty & (nu >= 0) & (nu + change < edge)
        number = jnp.argmin(jnp.where(crossing, (nu + change) / jnp.maximum(nu, least), jnp.inf))
        there, here = -change[number], nu[number]
        # where it is curved already it hardly crosses
        aim = jnp.where(weights[number] > 0, 0, here / jnp.maximum(here + there, tiny))
        aim = jnp.maximum(here * jnp.maximum(aim, fall), jnp.minimum(here, least[number]))
        allowed = jnp.maximum(here - aim, 1e-3 * least[number])
        row = rates.row(layout, number)
        held = ((box.side < 0) & (lower >= 0)) | ((box.side > 0) & (upper <= 0))
        # what it would be without correlations: the next round corrects it, and the force hardly depends on it
        bent = jnp.abs(matrix.diagonal)
        softness = jnp.sum(jnp.where(free & ~held, row**2 / jnp.where(bent > 0, bent, _LEAST), 0))
        extra = jnp.where(softness > 0, (there / allowed - 1) / jnp.where(softness > 0, softness, 1), 0)
        extra = jnp.maximum(extra, 0)
        forces = jnp.where(rates.empty & (weights > 0), jnp.maximum(-weights * change, 0), 0)
        return _State(
            state.round + 1,
            matrix,
            weights,
            number,
            extra,
            box,
            forces,
            ~crossing.any() | ~jnp.isfinite(box.gain) | (extra == 0),
        )

    nothing = jnp.zeros_like(gradient)
    box = BoxStep(nothing, jnp.zeros(nothing.shape, int), nothing[0])
    zero = jnp.array(0)
    begin = _State(zero, matrix, rates.stiff(forces), zero, nothing[0], box, forces, jnp.array(False))
    end = jax.lax.while_loop(lambda state: ~state.done & (state.round < _MOST), improve, begin)
    return end.box, end.forces
