"""Intervals: what a number can be when some of the numbers it is computed from are only known to lie between bounds."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Interval:
    """Numbers, or truth values, that lie between two others.

    Both have one shape and type. False is less than true: a truth value is certain where ``low`` is true, possible
    where ``high`` is.
    """

    low: jax.Array
    high: jax.Array


# a number that is known, or an interval
Value: TypeAlias = "jax.Array | Interval"


def low(value: Value) -> Any:
    """Return the least that a value can be."""
    return value.low if isinstance(value, Interval) else value


def high(value: Value) -> Any:
    """Return the most that a value can be."""
    return value.high if isinstance(value, Interval) else value


def as_interval(value: Value) -> Interval:
    """Return a value as an interval."""
    return value if isinstance(value, Interval) else Interval(value, value)


def anything(aval: Any) -> Interval:
    """Return the interval of everything there is of a type.

    Raises `TypeError` for what has no order, such as keys of random numbers.
    """
    dtype = aval.dtype
    if dtype == jnp.bool_:
        limits: tuple[Any, Any] = (False, True)
    elif jnp.issubdtype(dtype, jnp.integer):
        limits = (np.iinfo(dtype).min, np.iinfo(dtype).max)
    elif jnp.issubdtype(dtype, jnp.floating):
        limits = (-np.inf, np.inf)
    else:
        raise TypeError(f"there are no intervals of {dtype}")
    return Interval(*(jnp.full(aval.shape, limit, dtype) for limit in limits))


def widened(interval: Interval, lost: jax.Array) -> Interval:
    """Return an interval that is unbounded in some places.

    ``lost`` is true where nothing is known.
    """
    everything = anything(interval.low)
    return Interval(jnp.where(lost, everything.low, interval.low), jnp.where(lost, everything.high, interval.high))


def sound(interval: Interval) -> Interval:
    """Return an interval that is unbounded where a bound is not a number, or large integers wrapped around."""
    return widened(interval, ~(interval.low <= interval.high))
