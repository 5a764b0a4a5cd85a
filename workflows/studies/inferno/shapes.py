"""How events spread over bins, how that depends on the nuisance parameters, and what the counts tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .problem import BACKGROUND, RATE, SHIFT, SIGNAL, ToyEvents, varied

# of the published code, on either side of the nominal value
SHIFT_STEP, RATE_STEP = 0.2, 0.5


class Shapes(NamedTuple):
    r"""Shares of the events in each bin, and derivatives of the background's.

    Attributes
    ----------
    signal, background : jax.Array
        Shape (bins,), sum 1.
    by_shift, by_rate : jax.Array
        Derivative of the background's with respect to r and :math:`\lambda`, shape (bins,).
    """

    signal: jax.Array
    background: jax.Array
    by_shift: jax.Array
    by_rate: jax.Array

    def information(self) -> jax.Array:
        r"""Return the Fisher information of the Asimov counts on :math:`(s, r, \lambda, b)`, shape (4, 4).

        .. math:: I_{ij} = \sum_k \frac{\partial_i n_k \, \partial_j n_k}{n_k}

        Bins where nothing is expected tell nothing. float64 when x64 is enabled.

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> from hepgrad.workflows.studies.inferno.shapes import Shapes
        >>> one_bin = Shapes(jnp.ones(1), jnp.ones(1), jnp.zeros(1), jnp.zeros(1))
        >>> print(f"{one_bin.information()[0, 0]**-0.5:.2f}")  # the square root of 50 + 1000
        32.40
        """
        signal, background, by_shift, by_rate = (jnp.asarray(shape, float) for shape in self)
        slopes = jnp.stack([signal, BACKGROUND * by_shift, BACKGROUND * by_rate, background])
        yields = SIGNAL * signal + BACKGROUND * background
        expected = yields > 0
        return (jnp.where(expected, slopes, 0) / jnp.where(expected, yields, 1)) @ slopes.T


def soft_shapes(probabilities: Callable[[jax.Array], jax.Array], events: ToyEvents) -> Shapes:
    """Return the expected shapes of events that fall into bins with probabilities.

    The derivatives are exact, by forward mode along the two directions in which the nuisance parameters move events.
    ``probabilities`` goes from events, shape (n, 3), to probabilities, shape (n, bins), differentiable.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.workflows.studies.inferno.problem import draw
    >>> from hepgrad.workflows.studies.inferno.shapes import soft_shapes
    >>> shapes = soft_shapes(lambda x: jax.nn.softmax(x[:, :2]), draw(jax.random.key(0), 10_000))
    >>> print(f"{shapes.background[0]:.1f} {shapes.by_shift[0]:.2f}")
    0.7 0.09
    """

    def background(nuisances: jax.Array) -> tuple[jax.Array, jax.Array]:
        shape = jnp.mean(probabilities(varied(events.background, *nuisances)), axis=0)
        return shape, shape

    nominal = jnp.array([SHIFT, RATE], events.background.dtype)
    slopes, shape = jax.jacfwd(background, has_aux=True)(nominal)
    return Shapes(jnp.mean(probabilities(events.signal), axis=0), shape, slopes[:, 0], slopes[:, 1])


def hard_shapes(bin_of: Callable[[jax.Array], jax.Array], events: ToyEvents, bins: int) -> Shapes:
    r"""Return the shapes of events that each fall into one bin.

    Counts have no derivative, so these are central differences between the same events shifted by :math:`r = \pm 0.2`
    and scaled with :math:`\lambda = 3 \pm 0.5`, as in the published code. ``bin_of`` goes from events, shape (n, 3), to
    indices of bins, shape (n,).

    Examples
    --------
    >>> import jax
    >>> from hepgrad.workflows.studies.inferno.problem import draw
    >>> from hepgrad.workflows.studies.inferno.shapes import hard_shapes
    >>> shapes = hard_shapes(lambda x: (x[:, 0] > 2).astype(int), draw(jax.random.key(0), 10_000), 2)
    >>> print(f"{shapes.background[1]:.1f} {shapes.by_shift[1]:.1f}")
    0.5 0.2
    """

    def shape(sample: jax.Array) -> jax.Array:
        return jnp.bincount(bin_of(sample), length=bins) / len(sample)

    def background(nuisances: jax.Array) -> jax.Array:
        return shape(varied(events.background, *nuisances))

    points = [(0, 0), (SHIFT_STEP, 0), (-SHIFT_STEP, 0), (0, RATE_STEP), (0, -RATE_STEP)]
    # one after the other, for the sake of memory and of the time to compile
    nominal, up, down, faster, slower = jax.lax.map(
        background, jnp.array([SHIFT, RATE], events.background.dtype) + jnp.array(points, events.background.dtype)
    )
    return Shapes(
        signal=shape(events.signal),
        background=nominal,
        by_shift=(up - down) / (2 * SHIFT_STEP),
        by_rate=(faster - slower) / (2 * RATE_STEP),
    )
