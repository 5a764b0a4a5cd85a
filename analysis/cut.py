"""Cuts in two readings: a comparison with a parameter is the probability that an object or an event passes.

In the soft reading that probability is ``sigmoid((x - threshold) / width)``, in the hard one exactly 0 or 1. Everything
that follows treats passes as independent and uses formulas that are exact for probabilities of 0 and 1, so the same
user code serves both readings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

Values: TypeAlias = "jax.Array | rg.RaggedArray"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Soft:
    """Read cuts as probabilities with a derivative.

    Attributes
    ----------
    width
        Factor on every parameter's width and every channel's bandwidth; annealed towards 0 during optimisation.
    """

    width: jax.Array | float = 1.0

    def probability(self, above: jax.Array, width: float, *, strict: bool) -> jax.Array:
        """Return the probability to pass.

        Parameters
        ----------
        above
            How far the value lies on the passing side of the threshold.
        width
            The parameter's width, in the same unit.
        strict
            Whether a value on the threshold fails (``>``) or passes (``>=``); a soft pass is 1/2 there either way.
        """
        return jax.nn.sigmoid(above / jnp.asarray(self.width * width, above.dtype))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Hard:
    """Read cuts as cuts: probabilities are exactly 0 or 1, as in Awkward or coffea."""

    def probability(self, above: jax.Array, width: float, *, strict: bool) -> jax.Array:
        """Return 1 where the value lies on the passing side and 0 elsewhere; the arguments are those of `Soft`."""
        return ((above > 0) if strict else (above >= 0)).astype(above.dtype)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class StraightThrough:
    """Read cuts as cuts, with the derivative of the soft reading.

    Attributes
    ----------
    width
        As for `Soft`.
    """

    width: jax.Array | float = 1.0

    def probability(self, above: jax.Array, width: float, *, strict: bool) -> jax.Array:
        """Return the hard pass with the soft pass's derivative; the arguments are those of `Soft`."""
        soft = Soft(self.width).probability(above, width, strict=strict)
        hard = Hard().probability(above, width, strict=strict)
        # the value is exactly `hard`: the difference of soft and itself is exactly 0
        return hard + (soft - jax.lax.stop_gradient(soft))


Reading: TypeAlias = Soft | Hard | StraightThrough


@dataclasses.dataclass(frozen=True)
class Pass:
    """The probability that each object or each event passes.

    Passes compose as independent events do: ``a & b`` multiplies, ``a | b`` is ``1 - (1 - a)(1 - b)``, ``~a`` is
    ``1 - a``. A boolean array counts as a pass of 0 or 1.

    Attributes
    ----------
    probability
        In [0, 1]; a ragged array for objects, shape (events,) for events.
    """

    probability: Values

    __array_ufunc__ = None

    def __and__(self, other: Any) -> Pass:
        return Pass(self.probability * as_probability(other, self.probability))

    def __or__(self, other: Any) -> Pass:
        fail = 1 - as_probability(other, self.probability)
        return Pass(1 - (1 - self.probability) * fail)

    __rand__, __ror__ = __and__, __or__

    def __invert__(self) -> Pass:
        return Pass(1 - self.probability)


def as_probability(passed: Any, like: Values | None = None) -> Values:
    """Return a pass, or a boolean array, as probabilities.

    Parameters
    ----------
    passed
        A `Pass`, or booleans (ragged or flat).
    like
        Gives the floating type of the result; JAX's default one otherwise.

    Raises
    ------
    TypeError
        For anything else: numbers that are not booleans would silently be taken for weights.
    """
    if isinstance(passed, Pass):
        return passed.probability
    dtype = _leaf_dtype(like) if like is not None else jnp.result_type(float)
    if isinstance(passed, rg.RaggedArray | jax.Array) or hasattr(passed, "dtype"):
        if _leaf_dtype(passed) != jnp.bool_:
            raise TypeError(f"a selection needs a comparison or booleans, not numbers of type {_leaf_dtype(passed)}")
        return rg.apply(lambda p: jnp.asarray(p).astype(dtype), passed)
    raise TypeError(f"a selection needs a comparison or booleans, not {type(passed).__name__}")


def _leaf_dtype(values: Any) -> Any:
    while isinstance(values, rg.RaggedArray):
        values = values.content
    return values.dtype


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A parameter on one side of a comparison: ``jets.pt > cut.jet_pt`` is a `Pass`.

    Attributes
    ----------
    value
        The parameter's value, for use as a plain number.
    width
        The parameter's width.
    reading
        What a comparison means.
    """

    value: jax.Array
    width: float
    reading: Reading

    # NumPy must leave comparisons to this class
    __array_ufunc__ = None

    def _passes(self, x: Any, *, sign: int, strict: bool) -> Pass:
        def probability(x: jax.Array) -> jax.Array:
            x = jnp.asarray(x)
            # events stay in their own precision even where parameters are float64
            x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.result_type(float))
            return self.reading.probability(sign * (x - self.value.astype(x.dtype)), self.width, strict=strict)

        return Pass(rg.apply(probability, x, operation="a comparison with a parameter"))

    def __lt__(self, x: Any) -> Pass:
        return self._passes(x, sign=1, strict=True)

    def __le__(self, x: Any) -> Pass:
        return self._passes(x, sign=1, strict=False)

    def __gt__(self, x: Any) -> Pass:
        return self._passes(x, sign=-1, strict=True)

    def __ge__(self, x: Any) -> Pass:
        return self._passes(x, sign=-1, strict=False)


class Cuts(Mapping[str, Threshold]):
    """What a stage receives as its second argument: every parameter as a `Threshold`, by attribute.

    Parameters
    ----------
    thresholds
        By name.
    """

    def __init__(self, thresholds: dict[str, Threshold]) -> None:
        self._thresholds = thresholds

    def __getattr__(self, name: str) -> Threshold:
        if name.startswith("_") or name not in self._thresholds:
            raise AttributeError(f"no parameter {name!r}; the parameters are {list(self.__dict__['_thresholds'])}")
        return self._thresholds[name]

    def __getitem__(self, name: str) -> Threshold:
        return self._thresholds[name]

    def __iter__(self) -> Any:
        return iter(self._thresholds)

    def __len__(self) -> int:
        return len(self._thresholds)
