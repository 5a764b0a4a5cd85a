"""Checks inside compiled programs: a condition that must not hold, with what the message needs to know.

`check` leaves a mark in the program, a primitive that passes its value through. `hepgrad.ragged.checks.collected` turns
the marks into numbers that the program returns, for the caller to raise. Where nobody collects them, the program itself
raises, through a host callback that is reached only on failure.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

check_p = Primitive("hepgrad_check")


# from what is compared to the numbers for the message
Summary: TypeAlias = Callable[..., tuple[Any, ...]]


def as_they_are(*facts: Any) -> tuple[Any, ...]:
    """Return the facts, which are numbers already."""
    return facts


def check(
    value: jax.Array,
    failed: jax.Array,
    facts: tuple[Any, ...],
    fail: Callable[..., None],
    *,
    summary: Summary = as_they_are,
) -> jax.Array:
    """Return an integer array unchanged; ``fail(*summary(*facts))`` is called on the host when ``failed`` holds.

    The result has to depend on ``value``, so that the check cannot be optimised away. ``facts`` are what is compared;
    where the check is one of many (a loop, ``vmap``) those of the first failure. ``summary`` makes integers of them,
    only on failure.
    """
    if any(np.size(fact) == 0 for fact in facts):
        return value  # nothing is compared
    return check_p.bind(value, failed, *map(jnp.asarray, facts), fail=fail, summary=summary)


def first_failure(failed: jax.Array, facts: tuple[jax.Array, ...]) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """Return a check that stands for several.

    ``failed`` is bool, shape (checks,), each of the ``facts`` of shape (checks, ...).
    """
    if failed.shape[0] == 0:
        return jnp.zeros((), bool), tuple(jnp.zeros(fact.shape[1:], fact.dtype) for fact in facts)
    first = jnp.argmax(failed)
    return jnp.any(failed), tuple(fact.at[first].get(wrap_negative_indices=False) for fact in facts)


def _evaluated(value: Any, failed: Any, *facts: Any, fail: Callable[..., None], summary: Summary) -> Any:
    if np.any(failed):
        fail(*(int(fact) for fact in summary(*map(jnp.asarray, facts))))
    return value


def _batched(args: Any, axes: Any, *, fail: Callable[..., None], summary: Summary) -> tuple[Any, Any]:
    (value, *rest), (axis, *others) = args, axes
    size = next((x.shape[a] for x, a in zip(rest, others, strict=True) if a is not None), None)
    if size is not None:
        failed, *facts = (
            jnp.broadcast_to(x, (size, *x.shape)) if a is None else jnp.moveaxis(x, a, 0)
            for x, a in zip(rest, others, strict=True)
        )
        one, several = first_failure(failed, tuple(facts))
        rest = [one, *several]
    return check_p.bind(value, *rest, fail=fail, summary=summary), axis


def _differentiated(primals: Any, tangents: Any, *, fail: Callable[..., None], summary: Summary) -> tuple[Any, Any]:
    value = check_p.bind(*primals, fail=fail, summary=summary)
    zero: Any = ad.Zero
    return value, zero.from_primal_value(value)


def _by_callback(
    value: jax.Array, failed: jax.Array, *facts: jax.Array, fail: Callable[..., None], summary: Summary
) -> jax.Array:
    shape = jax.ShapeDtypeStruct(value.shape, value.dtype)

    def on_host(value: np.ndarray, *facts: np.ndarray) -> np.ndarray:
        fail(*map(int, facts))
        return np.asarray(value)

    def bad(value: jax.Array) -> jax.Array:
        return jax.pure_callback(on_host, shape, value, *summary(*facts))

    return jax.lax.cond(failed, bad, lambda value: value, value)


def _lowered(context: Any, *args: Any, fail: Callable[..., None], summary: Summary) -> Any:
    # inside shard_map every device checks what it holds, whatever varies from one to the other
    plain = [
        [jax.core.ShapedArray(aval.shape, aval.dtype) for aval in avals]
        for avals in (context.avals_in, context.avals_out)
    ]
    rule = mlir.lower_fun(functools.partial(_by_callback, fail=fail, summary=summary), multiple_results=False)
    return rule(context.replace(avals_in=plain[0], avals_out=plain[1]), *args)


check_p.def_impl(_evaluated)
check_p.def_abstract_eval(lambda value, *rest, fail, summary: value)
batching.primitive_batchers[check_p] = _batched
ad.primitive_jvps[check_p] = _differentiated
mlir.register_lowering(check_p, _lowered)
