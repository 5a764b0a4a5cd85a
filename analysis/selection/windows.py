"""A range as one cut: low < x < high."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

from .choice import Chosen
from .cut import Pass
from .threshold import Threshold, as_float


def window(x: Any, low: Any, high: Any) -> Pass:
    """Return the pass "``x`` lies between ``low`` and ``high``".

    With ``a = (x - low) / width_low`` and ``b = (x - high) / width_high`` the soft probability is

        max(0, sigmoid(a) - sigmoid(b)) = sigmoid(a) sigmoid(-b) (1 - exp(min(b - a, 0))),

    the probability that x with one common logistic error lies inside; the right-hand form loses no precision far
    outside. ``(x > low) & (x < high)`` would give every x an error of its own at each side, and a narrow window
    probability 1/4 where it should have none.

    Parameters
    ----------
    x
        Ragged or flat numbers. NaN and infinities lie in no window.
    low, high
        A parameter (``cut.name``) or a number each. At a number the side is a hard cut. Nothing lies between a ``low``
        and a ``high`` that is not larger: the probability is 0, without a derivative where they have crossed. Give the
        optimiser an interval that cannot cross: ``window(x, cut.low, cut.low + cut.size.value)``.

    Returns
    -------
    Pass
        Of the structure of ``x``.

    Raises
    ------
    ValueError
        When both sides are numbers and do not increase.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis import Parameter, Parameters, Soft, window
    >>> cuts = Parameters(
    ...     low=Parameter(70.0, bounds=(50, 90), width=2.0), high=Parameter(110.0, bounds=(95, 130), width=2.0)
    ... )
    >>> cut = cuts.cuts(Soft())
    >>> inside = window(jnp.array([60.0, 70.0, 91.0, 112.0]), cut.low, cut.high)
    >>> [f"{p:.3f}" for p in inside.probability]
    ['0.007', '0.500', '1.000', '0.269']
    """
    if isinstance(low, Chosen):
        return low.of_each(lambda each: window(x, each, high))
    if isinstance(high, Chosen):
        return high.of_each(lambda each: window(x, low, each))
    if isinstance(low, Threshold) and isinstance(high, Threshold):
        low.compared(x, 1)
        high.compared(x, -1)
        return Pass(rg.apply(_between(low, high), x, low.value, low.width, high.value, high.width, operation="window"))
    if isinstance(low, Threshold):
        return (x > low) & (x < high)
    if isinstance(high, Threshold):
        return (x < high) & (x > low)
    if isinstance(low, int | float) and isinstance(high, int | float) and not low < high:
        raise ValueError(f"nothing lies between {low} and {high}")
    return Pass(rg.apply(lambda x: _inside(as_float(x), low, high), x, operation="window"))


def _between(low: Threshold, high: Threshold) -> Any:
    def probability(x: Any, low_value: Any, low_width: Any, high_value: Any, high_width: Any) -> jax.Array:
        x = as_float(x)
        known = jnp.isfinite(x)
        low_value, high_value = (jnp.asarray(value, x.dtype) for value in (low_value, high_value))

        def soft(factor: Any) -> jax.Array:
            a = jnp.where(known, x - low_value, 0) / jnp.asarray(factor * low_width, x.dtype)
            b = jnp.where(known, x - high_value, 0) / jnp.asarray(factor * high_width, x.dtype)
            inside = jax.nn.sigmoid(a) * jax.nn.sigmoid(-b) * -jnp.expm1(jnp.minimum(b - a, 0))
            return jnp.where(known, inside, 0)

        return low.reading.probability(soft, _inside(x, low_value, high_value))

    return probability


def _inside(x: jax.Array, low: Any, high: Any) -> jax.Array:
    return ((x > low) & (x < high)).astype(x.dtype)
