"""Bins without events: their expected events may be pressed against zero, where the likelihood ends."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.ragged.tracing import is_known

from ..histfactory.layout import ModelLayout
from ..histfactory.model import Model
from ..histfactory.structure import slots
from .hessian import products
from .incidence import arrangement
from .linear import Arrow
from .slopes import Slopes

_FALL, GENTLE = 1e-3, 0.9  # what is left of a rate that falls to zero, at least
_FIRMER, _GENTLER = 1.8, 20.0  # times as much, when a step still leads beyond zero, or does not help
_ROUNDED = 8  # rounding errors of the terms of a rate
_STIFFNESS = 1e6  # relative to other curvatures: half of the digits, for `linear` damps the last ones


def any_empty(main: jax.Array) -> bool:
    """Return whether a bin has no events, or may have none because events (any shape) are not known yet."""
    return not is_known(main) or bool((main == 0).any())


class Press(NamedTuple):
    """What keeps rates above zero in a step.

    Attributes
    ----------
    forces
        With which rates are pressed against zero, shape (bins,).
    weights
        The curvatures along the rates that keep them above it, shape (bins,).
    fall
        What is left of a rate after the step, at least; scalar.
    """

    forces: jax.Array
    weights: jax.Array
    fall: jax.Array


class Held(NamedTuple):
    """How rates that are pressed against zero bend the likelihood at its maximum.

    Attributes
    ----------
    forces, stiffness
        With which they are pressed, and the curvature that holds them where they are, shape (bins,).
    response
        The Hessian with `stiffness`: the matrix that tells how the minimum follows the data.
    hessian
        The Hessian with the curvature of parabolas that rise by one half where these slopes do.
    """

    forces: jax.Array
    stiffness: jax.Array
    response: Arrow
    hessian: Arrow

    def nothing(self, model: Model, parameters: jax.Array) -> jax.Array:
        """Return zero, whose derivatives, added to those of the likelihood, make its maximum an ordinary one."""
        rate = model.expected_actualdata(parameters)
        change = rate - jax.lax.stop_gradient(rate)
        return 0.5 * jnp.sum(self.stiffness * change**2) - jnp.sum(self.forces * change)


class Rates(NamedTuple):
    r"""Expected events at a point, as linear functions of a step.

    A bin without events adds its rate :math:`\nu` to the negative log-likelihood, which says nothing of where that
    ends: a parabola may lead beyond. A curvature w along the rate keeps a step from that, and the other parameters take
    their best values there. It is a step of a primal-dual interior point method: the multiplier :math:`\lambda`, the
    force with which the rate is pressed against zero, is w times the change of the rate, and the next step begins with
    the curvature :math:`\lambda / \nu`, with which the rate falls to zero quadratically. (S. J. Wright, Primal-Dual
    Interior-Point Methods, SIAM 1997.)

    Attributes
    ----------
    layout
        Structure of the model.
    slopes
        Expected events and their derivatives.
    empty
        Bins in which nothing is observed, shape (bins,), bool.
    rounding
        By how much the expected events may be wrong because numbers are rounded, shape (bins,).
    forces
        With which they were pressed against zero in the last step, shape (bins,).
    """

    layout: ModelLayout
    slopes: Slopes
    empty: jax.Array
    rounding: jax.Array
    forces: jax.Array

    @classmethod
    def at(
        cls, parameters: jax.Array, slopes: Slopes, layout: ModelLayout, main: jax.Array, forces: jax.Array
    ) -> Rates:
        """Return the rates at a point; ``main`` are the events in bins, shape (bins,)."""
        size = jnp.abs(parameters[arrangement(layout).scalars]) @ jnp.abs(slopes.jacobian[0])
        size += jnp.abs(slopes.expected)
        return cls(layout, slopes, main == 0, _ROUNDED * float(np.finfo(size.dtype).eps) * size, forces)

    def begin(self) -> Press:
        """Return what a step begins with."""
        return Press(self.forces, self._stiffness(self.forces), jnp.asarray(_FALL, self.forces.dtype))

    def follow(self, press: Press, step: jax.Array) -> tuple[Press, jax.Array]:
        """Return the forces of a step, what to try next, and whether the step leads rates beyond zero."""
        rate, least = self.slopes.expected, self.rounding
        by_slot = jnp.append(step, 0)[slots(self.layout).parameter]
        change = step[arrangement(self.layout).scalars] @ self.slopes.jacobian[0]
        change += jnp.sum(by_slot * self.slopes.by_slot, axis=0)

        aim = jnp.maximum(press.fall * rate, jnp.minimum(rate, least))
        edge = jnp.where(press.weights > 0, 0.5 * aim, -least)
        crossing = self.empty & (rate >= 0) & (rate + change < edge)
        # where a weight is felt the change is inverse to it, and the first one is what the bin itself would need
        allowed = jnp.maximum(rate - aim, 1e-3 * least)
        more = jnp.where(press.weights > 0, -press.weights * change / allowed, 1 / jnp.maximum(rate, least))
        forces = jnp.where(self.empty, jnp.maximum(-press.weights * change, 0), 0)
        beyond = crossing.any()
        fall = jnp.minimum(jnp.where(beyond, _FIRMER, _GENTLER) * press.fall, GENTLE)
        return Press(forces, jnp.where(crossing, more, press.weights), fall), beyond

    def pressed(self, matrix: Arrow, weights: jax.Array) -> Arrow:
        """Add curvatures along the rates, shape (bins,)."""
        added = products(self.layout, self.slopes, weights, jnp.zeros_like(matrix.diagonal))
        return jax.tree.map(jnp.add, matrix, added)

    def left(self, forces: jax.Array) -> jax.Array:
        """Return by how much the value could fall if the rates that are pressed against zero did, scalar."""
        return jnp.sum(forces * jnp.maximum(self.slopes.expected - 2 * self.rounding, 0))

    def held(self, hessian: Arrow, forces: jax.Array) -> Held:
        """Return how the rates that are pressed bend the likelihood at its maximum."""
        diagonal = jnp.append(jnp.abs(hessian.diagonal), 1)
        scalars = self.slopes.jacobian[0] ** 2 / diagonal[arrangement(self.layout).scalars][:, None]
        binned = self.slopes.by_slot**2 / diagonal[slots(self.layout).parameter]
        softness = jnp.max(jnp.concatenate([scalars, binned]), axis=0, initial=0)
        bent = 4 * forces**2
        most = _STIFFNESS * (bent + jnp.where(softness > 0, 1 / jnp.where(softness > 0, softness, 1), 0))
        stiffness = jnp.minimum(self._stiffness(forces), most)
        # both matrices side by side: the program compiles once
        both = jax.vmap(self.pressed, in_axes=(None, 0))(hessian, jnp.stack([stiffness, bent]))
        response, reported = (jax.tree.map(lambda x, i=i: x[i], both) for i in range(2))
        return Held(forces, stiffness, response, reported)

    def _stiffness(self, forces: jax.Array) -> jax.Array:
        """Return the curvatures with which a step takes rates to what is left of them, shape (bins,)."""
        allowed = jnp.maximum((1 - _FALL) * self.slopes.expected, self.rounding)
        return jnp.where(forces > 0, forces / allowed, 0)
