"""Cuts in three readings: a comparison with a parameter is the probability that an object or an event passes.

In the soft reading that probability is ``sigmoid((x - threshold) / width)``, in the hard one exactly 0 or 1. Everything
that follows treats passes as independent and uses formulas that are exact for probabilities of 0 and 1, so the same
user code serves all readings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

Values: TypeAlias = "jax.Array | rg.FlatArray | rg.RaggedArray"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Soft:
    """Read cuts as probabilities with a derivative.

    Attributes
    ----------
    width
        Factor on every parameter's width; annealed towards 0 during optimisation.
    bandwidth
        Factor on every channel's bandwidth; that on the widths by default.
    """

    width: jax.Array | float = 1.0
    bandwidth: jax.Array | float | None = None

    def probability(self, soft: Callable[[Any], jax.Array], hard: jax.Array) -> jax.Array:
        """Return the probability to pass.

        Parameters
        ----------
        soft
            Returns the smooth probability for a factor on the widths.
        hard
            What it tends to as the factor goes to 0: 0 or 1.
        """
        return soft(self.width)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Hard:
    """Read cuts as cuts: probabilities are exactly 0 or 1, as in Awkward or coffea."""

    def probability(self, soft: Callable[[Any], jax.Array], hard: jax.Array) -> jax.Array:
        """Return 0 or 1; the arguments are those of `Soft`."""
        return hard


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class StraightThrough:
    """Read cuts as cuts, each with the derivative of the soft reading.

    Attributes
    ----------
    width, bandwidth
        As for `Soft`.
    """

    width: jax.Array | float = 1.0
    bandwidth: jax.Array | float | None = None

    def probability(self, soft: Callable[[Any], jax.Array], hard: jax.Array) -> jax.Array:
        """Return 0 or 1 with the derivative of the smooth probability; the arguments are those of `Soft`."""
        smooth = soft(self.width)
        # the value is exactly `hard`: the difference of `smooth` and itself is exactly 0
        return jax.lax.stop_gradient(hard) + (smooth - jax.lax.stop_gradient(smooth))


Reading: TypeAlias = Soft | Hard | StraightThrough


@dataclasses.dataclass(frozen=True, eq=False)
class Pass:
    """The probability that each object or each event passes.

    Passes compose as independent events do: ``a & b`` multiplies, ``a | b`` is ``1 - (1 - a)(1 - b)``, ``~a`` is
    ``1 - a``. A boolean array counts as a pass of 0 or 1.

    Two passes of one event that look at the same objects are *not* independent. Joining them with ``&`` is exact in the
    hard reading and an approximation in the soft one, which vanishes with the width: in the example below the product
    is 0.56 where the truth is 0.75. Where one method asks the whole question (`Objects.at_least`, `Objects.exactly`,
    `Objects.any`, `window`), its answer is exact in every reading.

    Attributes
    ----------
    probability
        In [0, 1]; a ragged array for objects, shape (events,) for events.

    Raises
    ------
    TypeError
        When Python asks for its truth value: in ``if``, ``and``, ``or``, ``not``, and in ``low < x < high``.

    Examples
    --------
    Two jets that pass with probability 1/2 each: "at least one" contains "not none", so both together are at least one.

    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Objects, Pass
    >>> jets = Objects.of(rg.from_lists([[{"pt": 50.0}, {"pt": 30.0}]]))
    >>> for p in (0.5, 0.9, 0.99, 1.0):
    ...     some = jets.select(Pass(rg.from_lists([[p, p]])))
    ...     truth, product = some.at_least(1), some.at_least(1) & ~some.none()
    ...     print(f"p = {p:4}: {float(truth.probability[0]):.4f}, as a product {float(product.probability[0]):.4f}")
    p =  0.5: 0.7500, as a product 0.5625
    p =  0.9: 0.9900, as a product 0.9801
    p = 0.99: 0.9999, as a product 0.9998
    p =  1.0: 1.0000, as a product 1.0000
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

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a pass is a probability for each object or event, neither true nor false; write `a & b` for `a and b`, "
            "`a | b` for `a or b`, `~a` for `not a`, `window(x, low, high)` for `low < x < high`, and instead of "
            "`if a:` give the pass to `select`"
        )


def as_probability(passed: Any, like: Values | None = None) -> Values:
    """Return a pass, or a boolean array, as probabilities.

    ``like`` gives the floating type of the result, JAX's default one otherwise. Raises `TypeError` for anything else:
    numbers that are not booleans would silently be taken for weights.
    """
    if isinstance(passed, Pass):
        return passed.probability
    dtype = _leaf_dtype(like) if like is not None else jnp.result_type(float)
    if isinstance(passed, rg.FlatArray | rg.RaggedArray | jax.Array) or hasattr(passed, "dtype"):
        if _leaf_dtype(passed) != jnp.bool_:
            raise TypeError(f"a selection needs a comparison or booleans, not numbers of type {_leaf_dtype(passed)}")
        return rg.apply(lambda p: jnp.asarray(p).astype(dtype), passed)
    raise TypeError(f"a selection needs a comparison or booleans, not {type(passed).__name__}")


def _leaf_dtype(values: Any) -> Any:
    while isinstance(values, rg.RaggedArray | rg.FlatArray):
        values = values.content
    return values.dtype
