"""How many of a row's independent objects pass: the Poisson-binomial distribution, exactly.

The probabilities of 0, 1, ..., n - 1 passes and of at least n are the state of a walk along the row; each object with
probability ``p`` takes the state from ``s[k]`` to ``s[k] * (1 - p) + s[k - 1] * p``. All terms are positive, so there
is no cancellation near 0 or 1, and no division, so ``p`` may be exactly 0 or 1. The derivative with respect to one
object's ``p`` is a probability for the *other* objects of its row, which comes from walks from both ends of the row.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..array import RaggedArray
from ..reduce.axis import by_axis
from ..reduce.groups import Groups
from ..reduce.products import exclusive_by_id
from ..reduce.segments import spread
from ..reduce.sums import as_float, narrowed, widened
from ..remembered import remembered
from .scan import scan_by_id, shift_by_id

State = tuple[jax.Array, ...]
# the walk visits the rows in step, which pays while the rows are not much longer than their mean ...
PADDING = 32
# ... and while the steps are few
STEPS = 1024


def count_probability(p: Any, n: int) -> Any:
    """Return the probabilities that exactly 0, 1, ..., n of a row's independent objects pass.

    Parameters
    ----------
    p
        Ragged array: the probability of each object to pass, in [0, 1].
    n
        The largest number of interest (static); the probability of more is what is missing to 1, or
        `at_least_probability`.

    Returns
    -------
    jax.Array
        Shape (rows, n + 1).

    Raises
    ------
    TypeError
        When the items are records, or ``n`` is not an integer.
    ValueError
        When ``n`` is negative.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> p = rg.from_lists([[0.5, 0.5], [], [1.0, 0.25]])
    >>> rg.count_probability(p, 2)
    Array([[0.25, 0.5 , 0.25],
           [1.  , 0.  , 0.  ],
           [0.  , 0.75, 0.25]], dtype=float32)
    """
    check_number(n, "count_probability")
    groups, values, rebuild = by_axis(p, -1, keepdims=False, operation="count_probability")
    assert isinstance(groups, Groups)
    return rebuild(narrowed(jnp.stack(_exactly(groups, values, n=int(n)), axis=-1), values.dtype))


def at_least_probability(p: Any, n: int) -> Any:
    """Return the probability that at least ``n`` of a row's independent objects pass.

    Parameters
    ----------
    p
        Ragged array: the probability of each object to pass, in [0, 1].
    n
        The number (static).

    Returns
    -------
    jax.Array
        Shape (rows,).

    Raises
    ------
    TypeError
        When the items are records, or ``n`` is not an integer.
    ValueError
        When ``n`` is negative.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> p = rg.from_lists([[0.5, 0.5], [], [1.0, 0.25]])
    >>> rg.at_least_probability(p, 1)
    Array([0.75, 0.  , 1.  ], dtype=float32)
    """
    check_number(n, "at_least_probability")

    def compute() -> Any:
        groups, values, rebuild = by_axis(p, -1, keepdims=False, operation="at_least_probability")
        assert isinstance(groups, Groups)
        return rebuild(narrowed(_at_least(groups, values, n=int(n)), values.dtype))

    # regions ask for the same numbers of the same objects
    return remembered(p, ("at_least_probability", int(n)), compute) if isinstance(p, RaggedArray) else compute()


def check_number(n: int, operation: str) -> None:
    """Raise when a number of objects is not a static integer from 0 on."""
    if not hasattr(n, "__index__"):
        raise TypeError(f"{operation}: n must be an integer known before compilation, not {n!r}")
    if n < 0:
        raise ValueError(f"{operation}: n must not be negative, got {n}")


@partial(jax.jit, static_argnames=("n",))
def _exactly(groups: Groups, p: jax.Array, *, n: int) -> State:
    return _exactly_clean(n, groups, clean(groups, p))


@partial(jax.jit, static_argnames=("n",))
def _at_least(groups: Groups, p: jax.Array, *, n: int) -> jax.Array:
    if n == 0:
        return jnp.ones(groups.num, clean(groups, p).dtype)
    return _at_least_clean(n, groups, clean(groups, p))


def clean(groups: Groups, p: jax.Array) -> jax.Array:
    """Return the probabilities as floats of at least 32 bits, and 0 for items that are left out."""
    return groups.clean(widened(as_float(p)))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _exactly_clean(n: int, groups: Groups, p: jax.Array) -> State:
    return _distribution(groups, p, n + 1)[:-1]


@_exactly_clean.defjvp
def _exactly_jvp(n: int, primals: Any, tangents: Any) -> tuple[State, State]:
    groups, p = primals
    others = _others(n, groups, p)
    slopes = (-others[0], *(others[k - 1] - others[k] for k in range(1, n + 1)))
    return _exactly_clean(n, groups, p), tuple(groups.sum(tangents[1] * slope) for slope in slopes)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _at_least_clean(n: int, groups: Groups, p: jax.Array) -> jax.Array:
    if n == 1:
        # 1 - prod(1 - p), accurate also for tiny p
        return 0 - jnp.expm1(_log_none(groups, p))
    return _distribution(groups, p, n)[n]


def _log_none(groups: Groups, p: jax.Array) -> jax.Array:
    # rounding may have left a p just above 1
    return groups.sum(jnp.log1p(-jnp.minimum(p, 1)))


@_at_least_clean.defjvp
def _at_least_jvp(n: int, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    groups, p = primals
    # an object makes the difference when exactly n - 1 others pass
    pivotal = _others(n - 1, groups, p)[-1]
    return _at_least_clean(n, groups, p), groups.sum(tangents[1] * pivotal)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _others(n: int, groups: Groups, p: jax.Array) -> State:
    """Return, for each object, the probabilities that exactly 0, ..., n of the others of its row pass."""
    if n == 0:
        return (_others_fail(groups, p),)
    return _by_length(groups, partial(_others_walk, n), partial(_others_scan, n), p)


@_others.defjvp
def _others_jvp(n: int, primals: Any, tangents: Any) -> tuple[State, State]:
    groups, p = primals
    if n == 0:
        return jax.jvp(lambda p: (_others_fail(groups, p),), (p,), (tangents[1],))
    # the scan consists of products and sums, so its derivatives hold to any order
    return _others(n, groups, p), jax.jvp(lambda p: _others_scan(n, groups, p), (p,), (tangents[1],))[1]


def _others_fail(groups: Groups, p: jax.Array) -> jax.Array:
    none = jnp.exp(_log_none(groups, p))
    return exclusive_by_id(1 - p, none, groups.ids, groups.num, groups.longest)


def _distribution(groups: Groups, p: jax.Array, n: int) -> State:
    """Return the probabilities of 0, ..., n - 1 passes and of at least n of them, for each row."""
    return _by_length(groups, lambda groups, p: _walk(groups, p, n, visits=False)[0], partial(_distribution_scan, n), p)


def _by_length(groups: Groups, walk: Any, scan: Any, p: jax.Array) -> State:
    """Use the walk in step where rows have similar lengths, else the scan, whose cost does not depend on them."""
    affordable = min(PADDING * groups.ids.shape[0] // max(groups.num, 1), STEPS)
    if groups.longest is not None:
        return walk(groups, p) if groups.longest <= affordable else scan(groups, p)
    return lax.cond(jnp.max(groups.count(), initial=0) <= affordable, walk, scan, groups, p)


def _walk(groups: Groups, p: jax.Array, n: int, *, visits: bool, reverse: bool = False) -> tuple[State, jax.Array]:
    """Take all rows one object further at a time; with ``visits`` also return the state before each object."""
    assert groups.offsets is not None
    starts, counts = groups.offsets[:-1], groups.count()
    items = p.shape[0]
    start = (jnp.ones(groups.num, p.dtype), *(jnp.zeros(groups.num, p.dtype) for _ in range(n)))

    def step(j: jax.Array, carry: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
        state, before = carry
        there = j < counts
        item = jnp.where(there, starts + (counts - 1 - j if reverse else j), items)
        if visits:
            before = before.at[item].set(jnp.stack(state, axis=-1), mode="drop", unique_indices=True)
        passes = p.at[item].get(mode="fill", fill_value=0)
        return _add_object(state, passes), before

    before = jnp.zeros((items if visits else 0, n + 1), p.dtype)
    return lax.fori_loop(0, jnp.max(counts, initial=0), step, (start, before))


def _add_object(state: State, p: jax.Array) -> State:
    fails = 1 - p
    between = (state[k] * fails + state[k - 1] * p for k in range(1, len(state) - 1))
    return (state[0] * fails, *between, state[-1] + state[-2] * p)


def _others_walk(n: int, groups: Groups, p: jax.Array) -> State:
    before = _walk(groups, p, n + 1, visits=True)[1]
    behind = _walk(groups, p, n + 1, visits=True, reverse=True)[1]
    return convolve(tuple(before[:, k] for k in range(n + 1)), tuple(behind[:, k] for k in range(n + 1)))


def convolve(a: State, b: State) -> State:
    """Return the probabilities of 0, 1, ... passes in two sets of objects together, from those of each set.

    Both have equally many probabilities.
    """
    return tuple(sum((a[i] * b[k - i] for i in range(1, k + 1)), a[0] * b[k]) for k in range(len(a)))


def _join(a: State, b: State) -> State:
    """Return the state of two sets of objects together."""
    n = len(a) - 1
    at_least, enough = b[n], a[n] + a[0] * b[n]
    for i in range(1, n):
        # i in the first set leave n - i or more to the second
        at_least = at_least + b[n - i]
        enough = enough + a[i] * at_least
    return (*convolve(a[:n], b[:n]), enough)


def _running(n: int, groups: Groups, p: jax.Array, *, reverse: bool = False) -> State:
    single = (1 - p, p, *(jnp.zeros_like(p) for _ in range(n - 1)))
    return scan_by_id(
        _join, single, groups.ids, groups.num, identity=(1, *(0,) * n), longest=groups.longest, reverse=reverse
    )


def _others_scan(n: int, groups: Groups, p: jax.Array) -> State:
    none = (1, *(0,) * (n + 1))
    before = shift_by_id(_running(n + 1, groups, p), groups.ids, groups.num, identity=none)
    behind = _running(n + 1, groups, p, reverse=True)
    behind = shift_by_id(behind, groups.ids, groups.num, identity=none, reverse=True)
    return convolve(before[:-1], behind[:-1])


def _distribution_scan(n: int, groups: Groups, p: jax.Array) -> State:
    assert groups.offsets is not None
    state = _running(n, groups, p)
    last = jnp.where(groups.count() > 0, groups.offsets[1:] - 1, p.shape[0])
    return tuple(spread(x, last, fill=1 if k == 0 else 0, ordered=False) for k, x in enumerate(state))
