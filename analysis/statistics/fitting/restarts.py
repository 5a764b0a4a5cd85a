"""Fits from several starts: where the first one failed, or where a lower minimum must not be missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from ..histfactory.model import Model

# what a fit is tried from, the first one included
STARTS = 8
_LOWER = 1e-6  # of the logarithm of the likelihood: by how much another minimum is not the same one
_DEVIATIONS = 1.5  # by which parameters of either sign are moved
_SHARE = 0.3  # of its value, by which a factor on yields is moved at most


class Ended(Protocol):
    """Where a minimisation ended: a pytree, of which this is known."""

    @property
    def value(self) -> jax.Array:
        """What was minimised, scalar."""

    @property
    def converged(self) -> jax.Array:
        """Whether that is a minimum, scalar bool."""


A = TypeVar("A", bound=Ended)


class _State(NamedTuple):
    made: jax.Array
    all_of_them: jax.Array
    best: Any


def from_several_starts(
    attempt: Callable[[jax.Array], A], model: Model, start: jax.Array, free: jax.Array, *, search: bool = False
) -> A:
    """Minimise from a start; if that fails, from all other starts too, of which the lowest minimum counts.

    A likelihood whose shapes change a lot, and up otherwise than down, may have several minima, so that the first
    success after a failure would not do. The program holds the minimisation once, however many starts there are, and
    without a search a minimisation that succeeds at once costs nothing more. The other starts are normally distributed
    about the first one, inside the bounds, and the same in every call: with one and a half standard deviations of the
    auxiliary measurement, but for factors, which are not negative, with at most a third of their value. ``attempt``
    minimises from a vector of all parameters, and only components that are ``free`` (bool, shape (parameters,)) are
    varied. ``search`` is whether to look from the other starts for a lower minimum, too, when the first one converges.
    The result is the lowest of those that converged, the first of equal ones; where none did, that from ``start``.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.fitting.restarts import from_several_starts
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormSys
    >>> model = Model([FitChannel("SR", [FitSample("background", [4.0], [NormSys("xsec", hi=1.1, lo=0.9)])])])
    >>> class Valley(NamedTuple):
    ...     value: jax.Array
    ...     converged: jax.Array
    >>> def descend(x):  # from a ridge at 0 into the deeper valley on the right, or the other one
    ...     return Valley(jnp.where(x[0] > 0, -2.0, -1.0), x[0] != 0)
    >>> print(from_several_starts(descend, model, jnp.zeros(1), jnp.array([True])).value)
    -2.0
    """
    draws = jnp.asarray(np.random.default_rng(0).normal(size=(STARTS, start.size)), start.dtype)

    def other(number: jax.Array) -> jax.Array:
        information = model.constraints.information(start)
        known, is_factor = information > 0, model.bounds[:, 0] >= 0
        measured = jnp.where(known, _DEVIATIONS * jax.lax.rsqrt(jnp.where(known, information, 1)), jnp.inf)
        share = _SHARE * jnp.maximum(jnp.abs(start), 1)
        spread = jnp.where(is_factor | ~known, jnp.minimum(measured, share), measured)
        return jnp.where(free, jnp.clip(start + spread * draws[number], *model.bounds.T), start)

    def again(state: _State) -> _State:
        is_first = state.made == 0
        new = attempt(jnp.where(is_first, start, other(state.made)))
        lower = ~state.best.converged | (new.value < state.best.value - _LOWER)
        better = is_first | (new.converged & lower)
        best = jax.tree.map(lambda one, old: jnp.where(better, one, old), new, state.best)
        return _State(state.made + 1, state.all_of_them | is_first & ~new.converged, best)

    def unfinished(state: _State) -> jax.Array:
        return (state.made == 0) | state.all_of_them & (state.made < STARTS)

    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(attempt, start))
    begin = _State(jnp.zeros((), int), jnp.asarray(search), nothing)
    best: A = jax.lax.while_loop(unfinished, again, begin).best
    return best
