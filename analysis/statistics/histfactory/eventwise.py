r"""Sources whose weights are interpolated event by event: templates at several points, and a curve through them.

With a factor f on an event's weight at one standard deviation the histogram at :math:`\alpha` is
:math:`\sum_i w_i f_i^\alpha`, which the templates at :math:`\pm 1` do not determine. So it is filled at
:math:`\alpha = \pm 1, \pm 2, \pm 3` (``KNOTS``), and in between it is a cubic spline ("not a knot" at :math:`\pm 2`);
beyond, a straight line.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ...systematics.sources import KNOTS

FURTHER = KNOTS[2:]
_PLACES = np.arange(min(KNOTS), max(KNOTS) + 1)


def spline_weights(alpha: jax.Array) -> jax.Array:
    """Return how much the change of the template at each knot counts, shape (knots, *shape of alpha).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory.eventwise import spline_weights
    >>> print(spline_weights(jnp.array([0.0, 2.0])).T)
    [[0. 0. 0. 0. 0. 0.]
     [0. 0. 1. 0. 0. 0.]]
    """
    coefficients = _coefficients()
    wanted = jnp.asarray(coefficients[..., [int(np.flatnonzero(knot == _PLACES)[0]) for knot in KNOTS]], alpha.dtype)
    inside = jnp.clip(alpha, _PLACES[0], _PLACES[-1])
    interval = jnp.clip(jnp.floor(inside).astype(jnp.int32) - int(_PLACES[0]), 0, len(_PLACES) - 2)
    x = (inside - _PLACES[0] - interval)[..., None]
    cubic, square, slope, value = wanted[:, interval]
    at = value + x * (slope + x * (square + x * cubic))
    outside = (alpha - inside)[..., None] * (slope + x * (2 * square + 3 * x * cubic))
    return jnp.moveaxis(at + outside, -1, 0)


def _coefficients() -> np.ndarray:
    """Return the cubics of the splines that are 1 at one place and 0 at all others, shape (4, intervals, places)."""
    values = np.eye(len(_PLACES))
    system, right = np.zeros_like(values), np.zeros_like(values)
    for i in range(1, len(_PLACES) - 1):
        system[i, i - 1 : i + 2] = 1, 4, 1
        right[i] = 6 * (values[i - 1] - 2 * values[i] + values[i + 1])
    system[0, :3] = system[-1, -3:] = 1, -2, 1
    bend = np.linalg.solve(system, right)
    slope = np.diff(values, axis=0) - (2 * bend[:-1] + bend[1:]) / 6
    return np.stack([np.diff(bend, axis=0) / 6, bend[:-1] / 2, slope, values[:-1]])
